-- Answers for the rows of finish that no action took: not held by this claim, or no known action.
--
-- An end is a repetition only with the same result or reason: a sweep that failed the run, or another SDK that
-- completed it, left the same token but did not do what this row asks for.

-- Until 0.1.0 without the payloads.
drop function if exists absurd_swift.finish_rest(text, text, uuid[], timestamptz[], text[], boolean[]);

create or replace function absurd_swift.finish_rest(
  p_queue text,
  p_worker text,
  p_runs uuid[],
  p_tokens timestamptz[],
  p_actions text[],
  p_payloads text[],
  p_answered boolean[]
)
  returns table("position" integer, answer text, task_state text, sqlstate text, message text)
  language plpgsql
as $$
begin
  return query execute format($sql$
    select v.position,
      v.answer,
      v.task_state,
      case when v.answer = 'refused' then 'AS002' end,
      case when v.answer = 'refused' then format('unknown action %%L', v.action) end
    from (
      select i.position, i.action, t.state as task_state,
        case
          when (i.action in ('complete', 'fail', 'fail_final', 'sleep', 'release')) is not true
            then 'refused'
          when r.started_at = i.token
            and (r.state = 'completed' and r.claimed_by = $1 and i.action = 'complete'
                and r.result = coalesce(i.payload, 'null')::jsonb
              or r.state = 'failed' and r.claimed_by = $1 and i.action in ('fail', 'fail_final')
                and r.failure_reason = coalesce(i.payload, 'null')::jsonb
              or r.state in ('pending', 'sleeping') and i.action in ('sleep', 'release'))
            then 'repeated'
          else absurd_swift.verdict(
            t.state, r.state, r.claimed_by = $1 and r.started_at = i.token
          )
        end as answer
      from (
        select x.ordinality::integer as position, x.run_id, x.token, x.action, x.payload
        from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[])
          with ordinality x(run_id, token, action, payload, answered, ordinality)
        where not x.answered
      ) i
      left join absurd.%1$I r on r.run_id = i.run_id
      left join absurd.%2$I t on t.task_id = r.task_id
    ) v
    $sql$,
    'r_' || p_queue, 't_' || p_queue
  ) using p_worker, p_runs, p_tokens, p_actions, p_payloads, p_answered;
end;
$$;
