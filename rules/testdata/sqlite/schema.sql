-- What an independent engine is given: lines as they arrive, in milliseconds. steps has the bit of each
-- step that the line matches, and 16 times the bit of each step that it resets; bit 1 is a spike's hit.
pragma case_sensitive_like = on;
create table line(trial int, arrived int, path text, t int, id text, k text, v text, steps int);
create table ev(trial int, n int, t int, id text, k text, v text, steps int);
create table fired(trial int, part text, k text, n int, t int, count int);
create table told(trial int, k text, t int, status text, count int);
create table logfact(i int primary key, v real);
insert into logfact
with recursive f(i, v) as (select 0, 0.0 union all select i + 1, v + ln(i + 1) from f where i < 2000)
select i, v from f;
