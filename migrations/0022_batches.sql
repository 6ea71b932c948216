-- Why: calls that nobody waits for are sent as a file, a line each, and answered in a file within a day. A batch is worked
-- off in slices; each line that is done is a row, so that whoever dies in the middle repeats no line that was answered.

create table batches (
  tenant_id             uuid not null default current_tenant_id() references tenants (id),
  id                    uuid not null,
  -- On whose behalf the lines are called, with the rights that the key has at that moment.
  key_id                uuid not null,
  endpoint              text not null
                        check (endpoint in ('/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses')),
  -- No reference: a batch outlives its input.
  input_file_id         uuid not null,
  metadata              jsonb,
  -- Seconds for which the files with the answers are kept; null: for ever.
  output_expires_after  bigint,
  status                text not null default 'validating'
                        check (status in ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired',
                                          'cancelling', 'cancelled')),
  -- [{code, message, param, line}, …]
  errors                jsonb,
  total                 int not null default 0,
  completed             int not null default 0,
  failed                int not null default 0,
  -- Where the work goes on in the input: all lines before this one are done.
  resume_line           bigint not null default 1,
  resume_offset         bigint not null default 0,
  output_file_id        uuid,
  error_file_id         uuid,
  created_at            timestamptz not null default now(),
  in_progress_at        timestamptz,
  expires_at            timestamptz not null default now() + interval '24 hours',
  finalizing_at         timestamptz,
  completed_at          timestamptz,
  failed_at             timestamptz,
  expired_at            timestamptz,
  cancelling_at         timestamptz,
  cancelled_at          timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, key_id) references api_keys (tenant_id, id)
);
create index batches_created on batches (tenant_id, created_at, id);

-- What became of the lines of batches under way. When a batch is over they are in its files.
create table batch_lines (
  tenant_id    uuid not null default current_tenant_id(),
  batch_id     uuid not null,
  -- From 1, as an editor counts them.
  line         bigint not null,
  -- Times that it was tried and somebody was too busy to answer.
  attempts     int not null default 0,
  -- Null while it is to be tried again.
  status_code  int,
  output       text,
  -- The usage events of its calls, until the ledger has them. Written with the answer: a line is charged when, and only
  -- when, it is done.
  events       text,
  primary key (tenant_id, batch_id, line),
  foreign key (tenant_id, batch_id) references batches (tenant_id, id) on delete cascade,
  check ((status_code is null) = (output is null))
);
create index batch_lines_events on batch_lines (tenant_id, batch_id) where events is not null;

select protect_tenant_table('batches'), protect_tenant_table('batch_lines');
grant select, insert, update on batches to insula_tenant;
grant select, insert, update, delete on batch_lines to insula_tenant;
