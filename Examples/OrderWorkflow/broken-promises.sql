-- One line for whatever is not as promised; nothing when all is well.
with expected as (
  select t.task_id, t.params ->> 'id' as order_id, t.state, s.step
    from absurd.t_orders t
   cross join unnest(array['charge', 'reserve', 'receipt-mail']) as s (step)
), seen as (
  select x.*,
         (select count(*) from absurd.c_orders c where c.task_id = x.task_id and c.checkpoint_name = x.step)
           as recorded,
         (select count(*) from shop.executions e where e.order_id = x.order_id and e.step = x.step) as executed,
         (select count(*) from shop.executions e
           where e.order_id = x.order_id and e.step = x.step and e.outcome = 'done') as done,
         (select count(*) from shop.charges c where c.order_id = x.order_id) as charges
    from expected x
)
select order_id || ' is ' || state from seen where state <> 'completed'
union all
select format('%s of %s was recorded %s times', step, order_id, recorded) from seen where recorded <> 1
union all
select format('%s of %s never came to its end', step, order_id) from seen where done < 1
union all
select format('%s was charged %s times', order_id, charges) from seen where charges <> 1
union all
select format('charge of %s was executed %s times, not twice', order_id, executed)
  from seen where step = 'charge' and order_id = :'victim' and executed <> 2;
