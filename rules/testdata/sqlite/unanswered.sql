-- $need1 events of the first step, and none of the second until the window of the first of them has passed.
insert into fired
with asked as (
  select k, n, t, lag(t, $need1 - 1) over (partition by k order by n) as start
  from ev where trial = $trial and steps & 1 <> 0)
select $trial, k, k, min(n), start + $window, null from asked a
where start > t - $window
  and not exists (select 1 from ev x where x.trial = $trial and x.k = a.k and x.steps & 2 <> 0
    and x.n > a.n and x.t < start + $window)
  and start + $window <= (select max(t) from line where trial = $trial)
group by k, start;
