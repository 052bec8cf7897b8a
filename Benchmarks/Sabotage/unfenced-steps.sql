-- Takes the fence of recorded steps out: whoever has lost a claim may still record under it.
do $sabotage$
declare
  v_function text := pg_get_functiondef('absurd_swift.checkpoint_statement'::regproc);
  v_fence text := '(r.state = ''running'' and r.claimed_by = $1 and r.started_at = i.token) is true';
begin
  if position(v_fence in v_function) = 0 then
    raise exception 'the fence of recorded steps is written otherwise by now; correct this file';
  end if;
  execute replace(v_function, v_fence, '(i.token is not null) is true');
end
$sabotage$;
