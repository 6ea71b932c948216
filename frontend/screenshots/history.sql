-- A month of usage out of today's, so that the pictures' charts have something to show. For an install of nothing else.
begin;
set local row_security = off;
create temp table calendar on commit drop as
select n as back, 2 + (abs(hashint4(n)) % 5) + case when extract(isodow from now() - n * interval '1 day') > 5 then -2 else 2 end as busy
from generate_series(1, 29) as n;

insert into usage_events
select (jsonb_populate_record(e, jsonb_build_object(
         'id', gen_random_uuid(), 'started_at', e.started_at - c.back * interval '1 day' - (k * 97) * interval '1 minute'))).*
from usage_events e, calendar c, generate_series(1, c.busy) as k
where e.started_at > now() - interval '6 hours' and abs(hashtext(e.id::text || k || c.back)) % 10 < 4;

insert into usage_hours
select (jsonb_populate_record(h, jsonb_build_object('hour', h.hour - c.back * interval '1 day' - (k * 2) * interval '1 hour'))).*
from usage_hours h, calendar c, generate_series(1, least(c.busy, 8)) as k
where h.hour > now() - interval '6 hours' and abs(hashtext(h.model || h.key_id || c.back || k)) % 10 < 6
on conflict do nothing;

insert into usage_days
select (jsonb_populate_record(d, jsonb_build_object(
         'day', d.day - c.back * interval '1 day', 'requests', d.requests * c.busy / 3, 'input_tokens', d.input_tokens * c.busy / 3,
         'output_tokens', d.output_tokens * c.busy / 3, 'cost', d.cost * c.busy / 3, 'latency_us', d.latency_us * c.busy / 3,
         'failed', d.failed * c.busy / 3, 'cache_hits', d.cache_hits * c.busy / 3))).*
from usage_days d, calendar c where d.day > now() - interval '30 hours';

insert into usage_end_users
select (jsonb_populate_record(u, jsonb_build_object('day', u.day - c.back * interval '1 day', 'requests', u.requests * c.busy / 3))).*
from usage_end_users u, calendar c where u.day > now() - interval '30 hours';
commit;
