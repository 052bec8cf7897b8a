extension History {
    /// Puts functions before those that write under claims, which note the claims that the caller states.
    ///
    /// So a trigger can tell who wrote: not what the fence let through, but what was asked of it. The claims are kept
    /// for the transaction only, as worker and tokens of each run. Runs may come with several tokens, in a batch that
    /// an old and a new execution share.
    static let statedClaims = """
        create function history.state_claims(p_worker text, p_runs uuid[], p_tokens timestamptz[])
        returns void language sql as $$
          select set_config('history.claims', jsonb_build_object('worker', p_worker, 'runs', (
            select jsonb_object_agg(s.run_id, s.tokens)
              from (select x.run_id, jsonb_agg(x.token) as tokens
                      from unnest(p_runs, p_tokens) as x (run_id, token)
                     where x.run_id is not null group by x.run_id) s))::text, true);
        $$;

        -- Null and null for a run that the caller has stated no claim for; infinity for one that is given back as a stray.
        create function history.stated_claim(p_run uuid, out writer text, out tokens timestamptz[])
        language plpgsql as $$
        declare
          v_stated jsonb := nullif(current_setting('history.claims', true), '')::jsonb;
        begin
          if v_stated -> 'runs' ? p_run::text then
            writer := v_stated ->> 'worker';
            tokens := array(
              select x::timestamptz from jsonb_array_elements_text(v_stated -> 'runs' -> p_run::text) x);
          elsif v_stated ? 'strays' then
            writer := v_stated ->> 'worker';
            tokens := '{infinity}';
          end if;
        end;
        $$;

        do $do$
        declare
          v_function record;
        begin
          for v_function in
            select p.proname as name, pg_get_function_identity_arguments(p.oid) as identity,
              pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result,
              (select string_agg('$' || n, ', ' order by n) from generate_series(1, p.pronargs) n) as parameters
              from pg_proc p
             where p.pronamespace = 'absurd_swift'::regnamespace
               and p.proname in ('complete', 'finish', 'checkpoint', 'renew', 'await_event', 'await_task')
          loop
            execute format(
              'alter function absurd_swift.%1$I(%2$s) rename to %3$I',
              v_function.name, v_function.identity, v_function.name || '_itself');
            execute format(
              $sql$
              create function absurd_swift.%1$I(%2$s) returns %3$s language plpgsql as $body$
              begin
                perform history.state_claims($2, $3, $4);
                return query select * from absurd_swift.%4$I(%5$s);
              end;
              $body$
              $sql$,
              v_function.name, v_function.arguments, v_function.result, v_function.name || '_itself',
              v_function.parameters);
          end loop;
        end;
        $do$;

        -- Whoever looks for strays does not know their claims; a late claim may even commit meanwhile.
        alter function absurd_swift.give_back_strays(text, text, uuid[], timestamptz[])
          rename to give_back_strays_itself;
        create function absurd_swift.give_back_strays(
          p_queue text, p_worker text, p_runs uuid[], p_tokens timestamptz[])
        returns integer language plpgsql as $body$
        begin
          perform set_config(
            'history.claims', jsonb_build_object('worker', p_worker, 'runs', '{}'::jsonb, 'strays', true)::text, true);
          return absurd_swift.give_back_strays_itself(p_queue, p_worker, p_runs, p_tokens);
        end;
        $body$;

        """
}
