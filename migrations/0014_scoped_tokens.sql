-- Why: a tenant's own browser app searches with a short-lived token that one of the tenant's API keys has signed (JWT,
-- Ed25519). The seed of the signing key is derived from the API key, which is not kept here; this is the public half:
-- whoever reads the table can check tokens and make none. Null until the key is used for the first time, for keys that
-- were made before there were tokens.
alter table api_keys add column token_key bytea check (length(token_key) = 32);
grant select (token_key), update (token_key) on api_keys to insula_system;
