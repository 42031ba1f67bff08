-- The share of hits in [T - w, T), at each T that is a multiple of w/5, against the share in the $blocks
-- windows before: far more hits than that makes expect, and too many for chance.
insert into fired
with recursive mine as (select *, steps & 1 as hit from ev where trial = $trial),
grid(at) as (
  select (min(t) / ($window / 5) + 1) * ($window / 5) from mine
  union all
  select at + $window / 5 from grid where at + $window / 5 <= (select max(t) from line where trial = $trial)),
born as (select k, min(t) as birth from mine group by k),
looked as (
  select g.at, b.k, b.birth, count(*) as total, sum(m.hit) as hits
  from grid g join born b join mine m on m.k = b.k and m.t >= g.at - $window and m.t < g.at
  group by g.at, b.k),
usual as (
  select l.*, count(m.t) as old, coalesce(sum(m.hit), 0) as oldhits,
    (l.at - $window) / $window as edge, max((l.at - $window) / $window - $blocks, l.birth / $window) as oldest
  from looked l left join mine m on m.k = l.k
    and m.t / $window >= max((l.at - $window) / $window - $blocks, l.birth / $window)
    and m.t / $window < (l.at - $window) / $window
  group by l.at, l.k),
expected as (
  select *, max(1.0 * $floor, case when old > 0 then 1.0 * oldhits / old * total else 0 end) as e
  from usual
  where oldest < edge and total >= $least and hits >= $need and at >= birth + $warmup)
select $trial, k, k, at, at, hits from expected x
where hits >= $factor * e and e < total and 0.0001 > (
  select sum(exp(a.v - b.v - c.v + b.i * ln(e / total) + (total - b.i) * ln(1 - e / total)))
  from logfact a join logfact b on b.i between x.hits and x.total join logfact c on c.i = x.total - b.i
  where a.i = x.total);
