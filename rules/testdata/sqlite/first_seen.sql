-- A value that its key did not have in (t - history, t), the key having been known for long enough. A key
-- that was away for twice the history is a new one.
insert into fired
with seen as (
  select *,
    lag(t) over (partition by k, v order by n) as before,
    lag(t) over (partition by k order by n) as alive
  from ev where trial = $trial and v is not null),
born as (
  select *, max(case when alive is null or t - alive >= 2 * $history then t end)
    over (partition by k order by n rows between unbounded preceding and current row) as birth
  from seen)
select $trial, k || '/' || v, k, n, t, 1 from born
where (before is null or t - before >= $history) and t >= birth + $learn;
