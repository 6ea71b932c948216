//! Tenancy and SQL, in through the doors that every caller takes.
fn main(){}
