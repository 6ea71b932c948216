//! Cursor pagination as OpenAI's lists do it.

use insula_core::Error;
use insula_core::page::{Order, Page};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use uuid::Uuid;

use super::{FromQuery, PathId, QueryParams};

/// The query of a list: `limit`, `order`, `after`, `before`. `DEFAULT` and `MAX` are the limits of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery<const DEFAULT: u32 = 20, const MAX: u32 = 100> {
    /// How many objects at most.
    pub limit: u32,
    /// Direction.
    pub order: Order,
    after: Option<String>,
    before: Option<String>,
}

impl<const DEFAULT: u32, const MAX: u32> FromQuery for ListQuery<DEFAULT, MAX> {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let cursor = |name| match params.get(name) {
            Some(id) if id.len() > 200 => Err(Error::invalid(name, format!("Invalid value for '{name}'."))),
            id => Ok(id.map(str::to_owned)),
        };
        Ok(Self {
            limit: params.integer("limit", 1..=MAX, DEFAULT)?,
            order: params
                .choice("order", &[("asc", Order::Asc), ("desc", Order::Desc)])?
                .unwrap_or_default(),
            after: cursor("after")?,
            before: cursor("before")?,
        })
    }
}

impl<const DEFAULT: u32, const MAX: u32> ListQuery<DEFAULT, MAX> {
    /// The page, once the cursors are known to be ids of a `T`. One that is not even well formed is answered like
    /// one that does not exist.
    pub fn page<T: PathId>(&self, uuid: impl Fn(T) -> Uuid) -> Result<Page, Error> {
        let cursor = |name, text: &Option<String>| match text.as_deref().map(str::parse::<T>) {
            None => Ok(None),
            Some(Ok(id)) => Ok(Some(uuid(id))),
            Some(Err(_)) => Err(Error::invalid(
                name,
                format!("This cursor is not the id of one of your {}s.", T::WHAT),
            )),
        };
        Ok(Page {
            limit: i64::from(self.limit),
            order: self.order,
            after: cursor("after", &self.after)?,
            before: cursor("before", &self.before)?,
        })
    }
}

// By hand, because the derive cannot see the limits.
impl<const DEFAULT: u32, const MAX: u32> IntoParams for ListQuery<DEFAULT, MAX> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let limit = ObjectBuilder::new()
            .schema_type(SchemaType::from(Type::Integer))
            .minimum(Some(1))
            .maximum(Some(MAX))
            .default(Some(DEFAULT.into()));
        let order = text()
            .enum_values(Some(["asc", "desc"]))
            .default(Some("desc".into()));
        [
            ("limit", limit, "How many objects at most."),
            ("order", order, "Direction by creation."),
            (
                "after",
                text(),
                "Id of the object after which the page starts: the last one of the page before.",
            ),
            ("before", text(), "Id of the object before which the page ends."),
        ]
        .into_iter()
        .map(|(name, schema, description)| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .schema(Some(schema))
                .description(Some(description))
                .build()
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_lists_own() {
        let query = ListQuery::<20, 100>::from_query(&QueryParams::parse("after=vs_1&order=asc")).unwrap();
        let expected = ListQuery {
            limit: 20,
            order: Order::Asc,
            after: Some("vs_1".into()),
            before: None,
        };
        assert_eq!(query, expected);
        assert_eq!(
            ListQuery::<10_000, 10_000>::from_query(&QueryParams::default())
                .unwrap()
                .limit,
            10_000
        );
    }

    #[test]
    fn oversized_cursors_are_refused() {
        let query = format!("before={}", "x".repeat(201));
        assert!(ListQuery::<20, 100>::from_query(&QueryParams::parse(&query)).is_err());
    }
}
