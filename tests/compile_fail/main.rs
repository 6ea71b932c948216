//! Ways round the tenant door do not compile. After a change of compiler or of names: `TRYBUILD=overwrite`, and read
//! what changed.

#[test]
fn there_is_no_way_round_the_tenant_door() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
