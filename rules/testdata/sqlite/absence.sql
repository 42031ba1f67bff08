-- No event in (last, last + for]. The roster is expected from the first event of any key on. There is no
-- suppression: one alert, and one recovery.
insert into told
with mine as (select * from ev where trial = $trial),
known as (
  select k, n, t from mine
  union all
  select value, 0, (select min(t) from mine) from json_each('$roster')),
gap as (select k, t, lead(t) over (partition by k order by n) as next from known)
select $trial, k, t + $window, '', null from gap
where (next is null or next > t + $window) and t + $window < (select max(t) from line where trial = $trial)
union all
select $trial, k, next, 'recovered', null from gap where next > t + $window;
