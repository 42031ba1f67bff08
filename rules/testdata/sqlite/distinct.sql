-- At least $need different values in (t - w, t]; an event without a value is none.
insert into fired
select $trial, k, k, n, t, c from (
  select k, n, t, (
    select count(distinct x.v) from ev x
    where x.trial = $trial and x.k = e.k and x.n <= e.n and x.t > e.t - $window) as c
  from ev e where trial = $trial and v is not null)
where c >= $need;
