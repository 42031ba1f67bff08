-- A threshold with once: events with the same value count once, those without one each for itself.
insert into fired
select $trial, k, k, n, t, c from (
  select k, n, t, (
    select count(distinct coalesce('v' || x.v, 'i' || x.id)) from ev x
    where x.trial = $trial and x.k = e.k and x.n <= e.n and x.t > e.t - $window) as c
  from ev e where trial = $trial)
where c >= $need;
