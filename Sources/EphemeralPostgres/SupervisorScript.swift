/// The shell that owns a server: it makes the cluster, starts and stops the server as told, and removes
/// everything when its standard input ends, which is also what the death of its owner looks like.
///
/// POSIX shell, so that it runs with dash, bash, busybox and macOS alike. Its settings are the variables of
/// ``SupervisorSettings``.
let supervisorScript = #"""
    set -u
    umask 077
    # Where we were started may be closed to the server's user.
    cd /
    unset SUPERVISOR_SCRIPT
    # An owner that died must not take us with it when we answer.
    trap '' PIPE

    work=
    data=
    server=
    last_resort=QUIT

    fail() {
        if [ -n "$work" ] && [ -s "$work/log" ]; then
            tail -n 20 "$work/log" | sed 's/^/    /'
        fi
        printf 'failed %s\n' "$1"
    }

    # Unix socket paths are limited to 103 bytes or a little more, and the server reads a list of
    # directories: long folders and those with special characters will not do.
    make_work_directory() {
        for base in "${TEMPORARY_FOLDER%/}" /tmp /var/tmp; do
            case $base in
                *[!A-Za-z0-9._/+-]*) continue ;;
                /*) ;;
                *) continue ;;
            esac
            [ "${#base}" -le 70 ] || continue
            # Silent, since the next folder is tried; that all failed is said below.
            work=$(mktemp -d "$base/absurd-pg.XXXXXX" 2>/dev/null) && return 0
        done
        fail 'No temporary folder can be written to: tried TMPDIR, /tmp and /var/tmp.'
        return 1
    }

    make_cluster() {
        data=${SERVER_DATA:-$work/data}
        if [ -n "$SERVER_DATA" ]; then
            # Somebody's data: finish cleanly.
            last_resort=INT
        fi
        if [ ! -s "$data/PG_VERSION" ]; then
            set -- -D "$data" -U "$SERVER_USER" -E UTF8 --locale=C --no-sync --no-instructions \
                -A "$SERVER_AUTHENTICATION"
            if [ -n "$SERVER_PASSWORD" ]; then
                printf '%s\n' "$SERVER_PASSWORD" >"$work/password"
                set -- "$@" --pwfile="$work/password"
            fi
            if ! "$SERVER_BIN/initdb" "$@" >"$work/log" 2>&1 </dev/null; then
                fail "initdb could not make a cluster in $data."
                return 1
            fi
            rm -f "$work/password"
            : >"$work/log"
        fi
        # The server's processes have no use for it.
        unset SERVER_PASSWORD
        {
            # What initdb found out about the machine, then ours.
            printf "include '%s'\n" "$(printf %s "$data/postgresql.conf" | sed "s/'/''/g")"
            printf "unix_socket_directories = '%s'\n" "$work"
            if [ -n "$SERVER_TLS" ]; then
                printf "ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" \
                    "$work/server.crt" "$work/server.key"
            fi
            printf '%s\n' "$SERVER_CONFIGURATION"
        } >"$work/postgresql.conf"
        printf '%s\n' "$SERVER_ACCESS" >"$work/pg_hba.conf"
        if [ -n "$SERVER_TLS" ]; then
            if ! openssl req -new -x509 -days 30 -nodes -newkey rsa:2048 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                -keyout "$work/server.key" -out "$work/server.crt" >"$work/log" 2>&1 </dev/null; then
                fail 'openssl could not make a certificate. TLS needs the openssl command.'
                return 1
            fi
            : >"$work/log"
        fi
    }

    # The server writes its state into this file; the first line tells ours from one that was killed.
    is_ready() {
        [ "$(sed -n 1p "$data/postmaster.pid" 2>/dev/null)" = "$server" ] || return 1
        case $(sed -n 8p "$data/postmaster.pid" 2>/dev/null) in
            ready*) return 0 ;;
            *) return 1 ;;
        esac
    }

    start_server() {
        if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
            fail 'The server is running already.'
            return 1
        fi
        "$SERVER_BIN/postgres" -D "$data" -c config_file="$work/postgresql.conf" \
            -c hba_file="$work/pg_hba.conf" </dev/null >>"$work/log" 2>&1 &
        server=$!
        deadline=$(($(date +%s) + SERVER_START_SECONDS))
        until is_ready; do
            if ! kill -0 "$server" 2>/dev/null; then
                wait "$server"
                server=
                fail 'The server ended while it was starting.'
                return 1
            fi
            if [ "$(date +%s)" -gt "$deadline" ]; then
                stop_server QUIT
                fail "The server did not accept connections within $SERVER_START_SECONDS seconds."
                return 1
            fi
            sleep 0.02
        done
    }

    # Stops with the signal $1; a server that does not heed it for 20 seconds is stopped at once.
    stop_server() {
        [ -n "$server" ] || return 0
        kill -s "$1" "$server" 2>/dev/null
        deadline=$(($(date +%s) + 20))
        while kill -0 "$server" 2>/dev/null; do
            if [ "$(date +%s)" -gt "$deadline" ]; then
                kill -s QUIT "$server" 2>/dev/null
                break
            fi
            sleep 0.02
        done
        wait "$server" 2>/dev/null
        server=
    }

    # A server that was killed leaves its lock file, whose seventh line names a segment of shared memory.
    release_shared_memory() {
        segment=$(sed -n '7s/^ *[0-9][0-9]*  *\([0-9][0-9]*\).*/\1/p' "$data/postmaster.pid" 2>/dev/null)
        [ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
    }

    clean_up() {
        trap '' HUP INT TERM
        stop_server "$last_resort"
        [ -n "$work" ] || return 0
        [ -n "$SERVER_DATA" ] || release_shared_memory
        # Backends whose server was killed may write a little longer.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            rm -rf "$work" 2>/dev/null
            [ -e "$work" ] || break
            sleep 0.2
        done
    }

    signal_of() {
        if [ "$1" = immediate ]; then echo QUIT; else echo INT; fi
    }

    trap clean_up EXIT
    trap 'exit 1' HUP INT TERM

    while read -r command mode; do
        case $command in
            start)
                if [ -z "$work" ]; then
                    make_work_directory && make_cluster || exit 1
                    start_server || exit 1
                else
                    start_server || continue
                fi
                printf 'ok %s\n' "$work"
                ;;
            halt)
                stop_server "$(signal_of "$mode")"
                echo ok
                ;;
            stop)
                last_resort=$(signal_of "$mode")
                clean_up
                work=
                echo ok
                exit 0
                ;;
        esac
    done
    """#
