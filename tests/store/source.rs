//! Rules about the source that no compiler knows.

use std::path::{Path, PathBuf};

use insula_tests::workspace;

/// All files below `folder` with one of these extensions.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, extensions, found);
            } else if path
                .extension()
                .and_then(|e| e.to_str())
                .is_some_and(|e| extensions.contains(&e))
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&workspace().join(folder), extensions, &mut found);
    found
}

/// Lines of product code that match, with where they are. Unit tests, at the end of a file, do not count.
fn lines(folders: &[&str], matches: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let root = workspace();
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| files(folder, &["rs", "sql"])) {
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for (number, line) in product.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && !code.starts_with("--") && matches(&line.to_lowercase()) {
                found.push((name.clone(), format!("{name}:{}: {}", number + 1, line.trim())));
            }
        }
    }
    found
}

const PRODUCT: [&str; 6] = [
    "tenancy/src",
    "tenancy/sql",
    "core/src",
    "core/inference/src",
    "core/parse/src",
    "api/src",
];

#[test]
fn roles_and_tenants_are_set_in_one_file() {
    let setting = |line: &str| {
        // A person has a role, too.
        let becomes = line.contains("set role") && !line.contains("update ");
        becomes
            || [
                "set local",
                "set session",
                "set_config",
                "reset role",
                "insula.tenant_id",
            ]
            .iter()
            .any(|words| line.contains(words))
    };
    let found = lines(&PRODUCT, setting);
    assert!(
        found.iter().any(|(file, _)| file == "tenancy/src/db.rs"),
        "the search finds nothing any more"
    );
    let elsewhere: Vec<_> = found
        .iter()
        .filter(|(file, _)| file != "tenancy/src/db.rs")
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

/// Where the operator sees all tenants, and so has to name the one that it means.
const OPERATORS: &str = "core/src/organization/";

#[test]
fn the_operator_sees_to_tenants_work_in_one_place() {
    let found = lines(&["core/src", "api/src"], |line| line.contains(".upkeep("));
    let files: Vec<_> = found.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, ["core/src/organization/job.rs"]);
}

#[test]
fn tenants_are_compared_by_hand_only_in_search_and_in_the_tenancy_crate() {
    let found = lines(
        &["core/src", "core/inference/src", "core/parse/src", "api/src"],
        |line| {
            // With a value, that is: a join that names the tenant on both sides compares nothing by hand.
            line.contains("tenant_id = $") || line.contains("tenant_id = '")
        },
    );
    let elsewhere: Vec<_> = found
        .iter()
        .filter(|(file, _)| !file.starts_with("core/src/search/") && !file.starts_with(OPERATORS))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    assert!(found.len() > elsewhere.len(), "the search finds nothing any more");
}

/// The dependencies of a crate, as its manifest names them.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join(manifest)).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if inside && !name.is_empty() && !name.starts_with('#') {
            found.push(name.to_owned());
        }
    }
    assert!(found.len() > 3, "{manifest} was not read");
    found
}

#[test]
fn crates_keep_to_their_floor() {
    for (manifest, forbidden) in [
        ("api/Cargo.toml", &["sqlx", "ort", "fastembed"][..]),
        (
            "core/Cargo.toml",
            &["axum", "utoipa", "reqwest", "ort", "fastembed", "hyper", "insula"],
        ),
        (
            "tenancy/Cargo.toml",
            &["axum", "utoipa", "reqwest", "insula", "insula-core"],
        ),
    ] {
        let found = dependencies(manifest);
        for name in forbidden {
            assert!(
                !found.iter().any(|dependency| dependency == name),
                "{manifest} depends on {name}"
            );
        }
    }
}

#[test]
fn only_operations_of_the_operator_open_its_transactions() {
    // That one is the command line's; handlers prove who they are, and the audit log says it.
    let consoles = lines(&["api/src/routes", "api/src/http"], |line| {
        line.contains("db.operator()")
    });
    assert!(consoles.is_empty(), "{consoles:#?}");
    let found = lines(&["api/src/routes", "api/src/http"], |line| {
        line.contains(".operator_by(")
    });
    let folders = ["api/src/routes/operator/", "api/src/routes/organization/"];
    let elsewhere: Vec<_> = found
        .iter()
        .filter(|(file, _)| !folders.iter().any(|folder| file.starts_with(folder)))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    assert!(found.len() > elsewhere.len(), "the search finds nothing any more");
    for path in folders.iter().flat_map(|folder| files(folder, &["rs"])) {
        let text = std::fs::read_to_string(&path).unwrap();
        let handlers = text.matches("#[utoipa::path(").count();
        let doors = ["_: Operator,", "operator: Operator,", "reader: Reader<"]
            .iter()
            .map(|door| text.matches(door).count())
            .sum::<usize>();
        assert_eq!(
            handlers,
            doors,
            "{}: every handler takes the operator, or a reader",
            path.display()
        );
    }
}

#[test]
fn policies_ask_no_sub_query() {
    // Citus refuses one, and it would be asked per row.
    for (_, line) in lines(&["migrations"], |line| {
        line.contains("current_setting('insula.tenant_id'")
    }) {
        assert!(!line.contains("(select"), "{line}");
    }
}
