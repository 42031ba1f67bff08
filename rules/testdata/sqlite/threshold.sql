-- At least $need events in (t - w, t]. A RANGE frame takes in the peers of equal t that come after the
-- row; they are counted apart and taken off.
insert into fired
select $trial, k, k, n, t, c from (
  select k, n, t,
    count(*) over (partition by k order by t range between $window - 1 preceding and current row)
    - count(*) over (partition by k, t order by n rows between 1 following and unbounded following) as c
  from ev where trial = $trial)
where c >= $need;
