-- Every order with the state of its task.
\pset footer off
\pset null '-'
select t.params ->> 'id' as "order",
       t.state,
       t.attempts,
       c.charges as "charged",
       t.completed_payload ->> 'confirmation' as "confirmation",
       to_char(extract(epoch from r.completed_at - t.enqueue_at), '990.00 "s"') as "time"
  from absurd.t_orders t
  join absurd.r_orders r on r.run_id = t.last_attempt_run
  left join lateral (
    select count(*) as charges from shop.charges c where c.order_id = t.params ->> 'id'
  ) c on true
 order by 1;
