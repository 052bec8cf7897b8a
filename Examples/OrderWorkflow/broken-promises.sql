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
  from seen where step = 'charge' and order_id = :'victim' and executed <> 2
union all
select format('charge of %s was not refused once and then accepted, but: %s', :'refused',
              coalesce(string_agg(e.outcome, ', ' order by e.started_at), 'nothing'))
  from shop.executions e
 where e.order_id = :'refused' and e.step = 'charge'
having coalesce(string_agg(e.outcome, ', ' order by e.started_at), '') <> 'failed, done'
union all
select format('attempts of %s: %s, not one that failed and one that completed', :'refused',
              coalesce(string_agg(r.state, ', ' order by r.attempt), 'none'))
  from absurd.t_orders t
  join absurd.r_orders r on r.task_id = t.task_id
 where t.params ->> 'id' = :'refused'
having coalesce(string_agg(r.state, ', ' order by r.attempt), '') <> 'failed, completed'
union all
-- The others were done before the payment came, and this order only after it.
select format('the payment of %s was not awaited', :'late')
 where (
   select count(*)
     from absurd.e_orders e
     join absurd.t_orders t on true
     join absurd.r_orders r on r.run_id = t.last_attempt_run
    where e.event_name = 'payment_confirmed_' || :'late'
      and (e.emitted_at < r.completed_at) = (t.params ->> 'id' = :'late')
 ) <> (select count(*) from absurd.t_orders);
