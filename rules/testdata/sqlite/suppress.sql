-- The first firing is an alert, and then the next that is not within $hold of the alert before.
insert into told
with recursive mine as (select * from fired where trial = $trial),
alert(part, k, n, t, count) as (
  select part, k, n, t, count from mine m
  where not exists (select 1 from mine x where x.part = m.part and (x.t < m.t or x.t = m.t and x.n < m.n))
  union all
  select f.part, f.k, f.n, f.t, f.count from alert a join mine f on f.part = a.part
  where (f.t > a.t or f.t = a.t and f.n > a.n) and f.t >= a.t + $hold
    and not exists (select 1 from mine x where x.part = a.part and (x.t > a.t or x.t = a.t and x.n > a.n)
      and x.t >= a.t + $hold and (x.t < f.t or x.t = f.t and x.n < f.n)))
select $trial, k, t, '', count from alert;
