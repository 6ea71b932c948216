-- Why: the rows of a day are updated with every batch of calls, all of them at once. In full pages each update goes elsewhere and
-- leaves a hole behind, until a question about months reads three times as much as it has to; with room for one more version of
-- every row on its page, the holes are filled again at once and no index is touched.

alter table usage_days set (fillfactor = 50);
alter table usage_end_users set (fillfactor = 50);
