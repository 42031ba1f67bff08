-- The order of events: each id once, none behind its own source by more than the lateness, none without
-- a key; by time, source and place in the file.
insert into ev
with placed as (
  select *,
    row_number() over (partition by trial, id order by arrived) as copy,
    max(t) over (partition by trial, path order by arrived rows between unbounded preceding and 1 preceding) as newest
  from line)
select trial, row_number() over (partition by trial order by t, path, arrived), t, id, k, v, steps
from placed
where copy = 1 and (newest is null or t >= newest - 5000) and k is not null;
create index ev_key on ev(trial, k, n);
create index ev_time on ev(trial, k, t);
