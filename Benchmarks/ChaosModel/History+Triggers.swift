extension History {
    static let triggers = """
        create function history.note_task() returns trigger language plpgsql as $$
        begin
          insert into history.tasks (task_id, old_state, new_state, is_changed)
          values (new.task_id, case when tg_op = 'UPDATE' then old.state end, new.state,
            tg_op = 'INSERT' or old is distinct from new);
          return null;
        end;
        $$;

        create function history.note_run() returns trigger language plpgsql as $$
        declare
          v_stated record;
        begin
          select * into v_stated from history.stated_claim(new.run_id);
          if tg_op = 'INSERT' then
            insert into history.runs (run_id, task_id, new_state, open_others)
            values (new.run_id, new.task_id, new.state, history.open_others(new.run_id, new.task_id, new.state));
          elsif (old.state, old.started_at) is distinct from (new.state, new.started_at)
            or new.state = 'running' and old.claimed_by is distinct from new.claimed_by
          then
            insert into history.runs (
              run_id, task_id, old_state, new_state, old_holder, old_claim, old_expiry, writer, tokens, reason,
              open_others)
            values (
              new.run_id, new.task_id, old.state, new.state, old.claimed_by, old.started_at, old.claim_expires_at,
              v_stated.writer, v_stated.tokens, new.failure_reason,
              history.open_others(new.run_id, new.task_id, new.state));
          elsif new.state = 'running' and old.claim_expires_at is distinct from new.claim_expires_at then
            insert into history.renewals values (
              new.run_id, new.claimed_by, new.started_at, old.claim_expires_at, new.claim_expires_at,
              v_stated.writer, v_stated.tokens);
          end if;
          return null;
        end;
        $$;

        create function history.open_others(p_run uuid, p_task uuid, p_state text)
        returns integer language sql as $$
          select count(*)::integer from absurd.r_chaos r
           where r.task_id = p_task and r.run_id <> p_run
             and p_state in ('pending', 'sleeping', 'running')
             and r.state in ('pending', 'sleeping', 'running');
        $$;

        create function history.note_checkpoint() returns trigger language plpgsql as $$
        begin
          insert into history.checkpoints (
            task_id, name, state, run_id, run_state, holder, claim, writer, tokens)
          select new.task_id, new.checkpoint_name, new.state, new.owner_run_id, r.state, r.claimed_by, r.started_at,
              s.writer, s.tokens
            from history.stated_claim(new.owner_run_id) s
            left join absurd.r_chaos r on r.run_id = new.owner_run_id;
          return null;
        end;
        $$;

        create function history.note_event() returns trigger language plpgsql as $$
        begin
          -- A row without payload is a placeholder of somebody who waits.
          if new.payload is not null then
            insert into history.events (name, payload) values (new.event_name, new.payload);
          end if;
          return null;
        end;
        $$;

        create function history.note_wait() returns trigger language plpgsql as $$
        begin
          insert into history.waits values (new.run_id, new.event_name, new.timeout_at);
          return null;
        end;
        $$;

        create trigger history after insert or update on absurd.t_chaos
          for each row execute function history.note_task();
        create trigger history after insert or update on absurd.r_chaos
          for each row execute function history.note_run();
        create trigger history after insert or update on absurd.c_chaos
          for each row execute function history.note_checkpoint();
        create trigger history after insert or update on absurd.e_chaos
          for each row execute function history.note_event();
        create trigger history after insert or update on absurd.w_chaos
          for each row execute function history.note_wait();
        """
}
