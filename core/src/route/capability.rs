//! What a model can do, checked before it is called.

use crate::model::ChatRequest;
use crate::{Error, Result};

/// What the models of a route can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Call functions.
    pub tools: bool,
    /// Answer with JSON after a schema.
    pub json_schema: bool,
    /// Answer with JSON.
    pub json_object: bool,
    /// Look at images.
    pub vision: bool,
}

impl Capabilities {
    /// Whatever is asked; the provider will say what it cannot.
    pub const ALL: Self = Self {
        tools: true,
        json_schema: true,
        json_object: true,
        vision: true,
    };

    /// Text and nothing else.
    pub const NONE: Self = Self {
        tools: false,
        json_schema: false,
        json_object: false,
        vision: false,
    };

    /// The names of what can be done, as `routes.toml` has them.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.tools, "tools"),
            (self.json_schema, "json_schema"),
            (self.json_object, "json_object"),
            (self.vision, "vision"),
        ];
        all.into_iter()
            .filter_map(|(can, name)| can.then_some(name))
            .collect()
    }

    /// Refuses what the models of `route` cannot do.
    pub(super) fn check(self, route: &str, needs: Needs) -> Result<()> {
        let refuse = |param: &str, what: &str| {
            Err(Error::Invalid {
                message: format!("The model '{route}' cannot {what}."),
                param: Some(param.to_owned()),
                code: Some("unsupported_parameter"),
            })
        };
        if needs.vision && !self.vision {
            return refuse("messages", "look at images");
        }
        if needs.tools && !self.tools {
            return refuse("tools", "call functions");
        }
        match needs.format {
            Format::Schema if !self.json_schema => {
                refuse("response_format", "answer with JSON after a schema")
            }
            Format::Json if !self.json_object => refuse("response_format", "answer with JSON"),
            _ => Ok(()),
        }
    }
}

/// What a request needs of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    tools: bool,
    vision: bool,
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Text,
    Json,
    Schema,
}

impl Needs {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let format = request.options.response_format.as_ref();
        Self {
            tools: !request.options.tools.is_empty(),
            vision: request.messages.iter().any(|message| !message.images.is_empty()),
            format: match format.and_then(|format| format["type"].as_str()) {
                Some("json_schema") => Format::Schema,
                Some("json_object") => Format::Json,
                _ => Format::Text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ChatOptions;

    fn refused(can: Capabilities, options: ChatOptions) -> Option<String> {
        let request = ChatRequest {
            model: "m".into(),
            messages: Vec::new(),
            options,
            passages: Vec::new(),
            grounded: false,
        };
        match can.check("m", Needs::of(&request)) {
            Ok(()) => None,
            Err(Error::Invalid { param, .. }) => param,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let tools = || ChatOptions {
            tools: vec![json!({"type": "function"})],
            ..ChatOptions::default()
        };
        let format = |kind: &str| ChatOptions {
            response_format: Some(json!({"type": kind})),
            ..ChatOptions::default()
        };
        let none = Capabilities::NONE;
        assert_eq!(refused(none, tools()).as_deref(), Some("tools"));
        assert_eq!(
            refused(none, format("json_schema")).as_deref(),
            Some("response_format")
        );
        assert_eq!(
            refused(none, format("json_object")).as_deref(),
            Some("response_format")
        );
        assert_eq!(refused(none, ChatOptions::default()), None);
        for options in [tools(), format("json_schema"), format("json_object")] {
            assert_eq!(refused(Capabilities::ALL, options), None);
        }
        assert_eq!(none.names(), [""; 0]);
        assert_eq!(Capabilities::ALL.names().len(), 4);
    }
}
