-- Every step of every order: how often its body was executed, as the shop's own ledger has it, how often its value was
-- recorded, and how long it took. Waits have no body.
\pset footer off
with task as (
  select t.task_id, t.params ->> 'id' as order_id, r.completed_at
    from absurd.t_orders t
    join absurd.r_orders r on r.run_id = t.last_attempt_run
), execution as (
  select order_id,
         step,
         count(*) as executed,
         count(*) filter (where outcome is null) as cut_off,
         count(*) filter (where outcome = 'failed') as failed,
         max(ended_at) as ended_at,
         max(ended_at - started_at) filter (where outcome = 'done') as took
    from shop.executions
   group by order_id, step
), recorded as (
  select c.task_id,
         case when c.checkpoint_name like '$awaitEvent:%' then 'payment' else c.checkpoint_name end as step,
         count(*) as recorded,
         max(c.updated_at) as recorded_at
    from absurd.c_orders c
   group by 1, 2
), line as (
  select task.*, r.step, r.recorded, r.recorded_at, e.executed, e.cut_off, e.failed,
         array_position(array['charge', 'reserve', 'receipt-mail', 'payment', 'cool-down'], r.step) as place,
         case r.step
           when 'payment' then r.recorded_at - (
             select max(x.ended_at) from execution x where x.order_id = task.order_id)
           when 'cool-down' then task.completed_at - r.recorded_at
           else e.took
         end as took
    from task
    join recorded r using (task_id)
    left join execution e on e.order_id = task.order_id and e.step = r.step
)
select case when place = 1 then order_id else '' end as "order",
       step as "step",
       coalesce(executed::text, 'a wait') as "executed",
       recorded,
       to_char(extract(epoch from took), '990.00 "s"') as "took",
       concat_ws(', ',
         case when cut_off > 0 then 'killed in the middle' end,
         case when failed > 0 then 'failed and tried again' end,
         case when step = 'payment' and took > interval '4 s' then 'came late' end) as "remark"
  from line
 order by order_id, place;
