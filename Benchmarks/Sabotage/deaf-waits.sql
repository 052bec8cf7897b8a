-- Has events wake nobody who waits already.
do $sabotage$
declare
  v_function text := pg_get_functiondef('absurd_swift.wake_runs_statement'::regproc);
  v_condition text := 'and r.state = ''sleeping''';
begin
  if position(v_condition in v_function) = 0 then
    raise exception 'which runs are woken is written otherwise by now; correct this file';
  end if;
  execute replace(v_function, v_condition, 'and r.state = ''nobody''');
end
$sabotage$;
