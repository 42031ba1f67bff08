-- Two steps, or three: an event of the last, before it enough of each step, all of one step later than
-- those of the step before, all within (t - w, t]. What came before a reset counts no more for the step that
-- was reset and those after it.
insert into fired
with e as (select * from ev where trial = $trial),
live as ( -- events of a step, with the first event that makes them useless
  select x.k, x.n, x.t, s.step, (
    select min(r.n) from e r where r.k = x.k and r.n >= x.n
      and (r.steps & 16 <> 0 or s.step >= 2 and r.steps & 32 <> 0 or s.step >= 3 and r.steps & 64 <> 0)) as until
  from e x join (select 1 as step, 1 as bit union select 2, 2 union select 3, 4) s on x.steps & s.bit <> 0)
select $trial, l.k, l.k, l.n, l.t, null
from live l
where l.step = $last and exists (
  select 1 from live c
  where c.k = l.k and c.step = 1 and c.n < l.n and c.t > l.t - $window
    and $need1 <= (select count(*) from live x where x.k = l.k and x.step = 1 and x.n <= c.n
      and x.t > l.t - $window and (x.until is null or x.until >= l.n))
    and ($last = 2 and $need2 <= (select count(*) from live x where x.k = l.k and x.step = 2 and x.n > c.n and x.n <= l.n
        and (x.until is null or x.until >= l.n))
      or $last = 3 and exists (
        select 1 from live d
        where d.k = l.k and d.step = 2 and d.n > c.n and d.n < l.n
          and $need2 <= (select count(*) from live x where x.k = l.k and x.step = 2 and x.n > c.n and x.n <= d.n
            and (x.until is null or x.until >= l.n))
          and $need3 <= (select count(*) from live x where x.k = l.k and x.step = 3 and x.n > d.n and x.n <= l.n
            and (x.until is null or x.until >= l.n)))));
