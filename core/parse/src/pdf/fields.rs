//! What people wrote onto the pages of a document: values of form fields, and text boxes.

use pdfium_render::prelude::{
    PdfFormField, PdfFormFieldCommon, PdfPage, PdfPageAnnotation, PdfPageAnnotationCommon,
};

/// Most annotations of a page that are looked at.
const MAX_ANNOTATIONS: usize = 2_000;

/// A line for each filled-in field, `name: value`, and for each text box.
pub(super) fn lines(page: &PdfPage<'_>) -> String {
    let annotations = page.annotations();
    let lines = annotations.iter().take(MAX_ANNOTATIONS).filter_map(|annotation| {
        if let Some(field) = annotation.as_form_field() {
            let value = value(field)?;
            let value = value.trim();
            return (!value.is_empty()).then(|| match field.name().unwrap_or_default() {
                name if name.is_empty() => value.to_owned(),
                name => format!("{name}: {value}"),
            });
        }
        match &annotation {
            PdfPageAnnotation::FreeText(text) => text.contents().filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn value(field: &PdfFormField<'_>) -> Option<String> {
    match field {
        PdfFormField::Text(field) => field.value(),
        PdfFormField::ComboBox(field) => field.value(),
        PdfFormField::ListBox(field) => field.value(),
        PdfFormField::Checkbox(field) => field.is_checked().ok()?.then(|| "yes".to_owned()),
        PdfFormField::RadioButton(field) => field.is_checked().ok()?.then(|| field.group_value()).flatten(),
        _ => None,
    }
}
