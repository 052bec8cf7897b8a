import Foundation
import TestSupport
import Testing

/// `absurd supervise` as somebody runs it, without a database.
@Suite(.timeLimit(.minutes(10)))
struct SuperviseTests {
    @Test func `a command that is not there, or not executable, is told as a shell tells it`() async throws {
        let missing = try await Command.run(["supervise", "--no-give-back", "--", "no-such-command"])
        #expect(missing.status == 127)
        #expect(missing.errors == "error: there is no command 'no-such-command'\n")
        let refused = try await Command.run(["supervise", "--no-give-back", "--", "/etc/passwd"])
        #expect(refused.status == 126)
        #expect(
            refused.errors
                == "error: '/etc/passwd' is not executable; allow it with: chmod +x '/etc/passwd'\n")
    }

    @Test func `no command and options out of range are refused`() async throws {
        #expect(try await Command.run(["supervise"]).status == 64)
        let none = try await Command.run(["supervise", "-n", "0", "--no-give-back", "--", "true"])
        #expect(none.status == 2)
        #expect(none.errors == "error: the supervisor option children must be from 1 to 1000, and is 0\n")
    }

    @Test func `a child that dies at once ends it with an error that names the last reason`() async throws {
        let run = try await Command.run([
            "supervise", "--no-give-back", "--max-restarts", "2", "--restart-pause", "1ms", "--", "sh", "-c",
            "echo from the child; exit 9",
        ])
        #expect(run.status == 1)
        #expect(run.lines == ["from the child", "from the child", "from the child"])
        let errors = run.errors.split(separator: "\n")
        #expect(
            errors.count { $0.contains("exited with status 9 after 0") && $0.contains("; restart ") } == 2)
        #expect(
            errors.last?.hasPrefix(
                "error: the children were started again more than 2 times within 60 s; the last to end: child 0 "
                    + "exited with status 9 after 0") == true, "\(run.errors)")
    }

    @Test func `children that have done their work end it well where only failures are started again`()
        async throws
    {
        let run = try await Command.run([
            "supervise", "-n", "2", "--restart", "on-failure", "--no-give-back", "--", "echo", "a b", "$HOME",
        ])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.lines == ["a b $HOME", "a b $HOME"])
    }

    /// Starts it as a job of a shell, waits until a child says that it is ready, then goes on as told.
    private func job(_ options: String, child: String, then: String) async throws -> CommandRun {
        try await Command.shell(
            """
            folder=$(mktemp -d); export folder
            cat >"$folder/worker" <<'END'
            \(child)
            END
            count() { cat "$folder/pids" 2>/dev/null | wc -l; }
            until_count() { i=0; while [ "$(count)" -lt "$1" ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done; }
            alive() { kill -0 "$1" 2>/dev/null && ! grep -q ') Z ' /proc/$1/stat 2>/dev/null; }
            until_true() { i=0; until eval "$1" || [ $i -ge 600 ]; do sleep 0.05; i=$((i+1)); done; }
            until_gone() { i=0; while alive "$1" && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done; }
            absurd supervise --no-give-back \(options) -- sh "$folder/worker" & pid=$!
            \(then)
            rm -r "$folder"
            """)
    }

    @Test(arguments: [
        ("one-for-one", "0 1 1 2"), ("rest-for-one", "0 1 1 2 2"), ("all", "0 0 1 1 2 2"),
    ])
    func `when one ends, those are started again that the strategy names`(
        _ strategy: String, _ starts: String
    )
        async throws
    {
        let run = try await job(
            "-n 3 --strategy \(strategy) --restart-pause 1ms",
            child: #"""
                echo "$ABSURD_SUPERVISOR_CHILD" >>"$folder/pids"
                if [ "$ABSURD_SUPERVISOR_CHILD" = 1 ] && [ "$ABSURD_WORKER_RESTARTS" = 0 ]; then
                    while [ "$(cat "$folder/pids" | wc -l)" -lt 3 ]; do sleep 0.05; done
                    exit 7
                fi
                exec sleep 600
                """#,
            then: #"""
                until_count \#(starts.split(separator: " ").count); # Those that are too many come as well.
                sleep 0.3; kill -TERM $pid; wait $pid
                echo $(sort "$folder/pids")
                """#)
        #expect(run.lines == [starts], "\(run.errors)")
    }

    @Test func `SIGUSR1 and SIGUSR2 are passed on to children that have settled`() async throws {
        let run = try await job(
            "--settle 10ms",
            child: #"""
                trap 'echo one >>"$folder/signals"' USR1; trap 'echo two >>"$folder/signals"' USR2
                echo $$ >>"$folder/pids"; while :; do sleep 0.05; done
                """#,
            then: #"""
                until_count 1
                # Repeated, since one that has not been up for long enough is not told.
                until_true 'kill -USR1 $pid; grep -qs one "$folder/signals"'
                until_true 'kill -USR2 $pid; grep -qs two "$folder/signals"'
                kill -TERM $pid; wait $pid; echo "status $?"
                """#)
        #expect(run.lines == ["status 0"], "\(run.errors)")
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/status")))
    func `the process that ends orphans is replaced when it is killed`() async throws {
        let run = try await job(
            "--grace 200ms",
            child: #"echo $$ >>"$folder/pids"; exec sleep 600"#,
            then: #"""
                watchdog() {
                    for process in /proc/[0-9]*; do
                        grep -qsz absurd-watchdog $process/cmdline && grep -qs "^PPid:[^0-9]*$pid\$" $process/status &&
                            echo "${process#/proc/}"
                    done
                }
                until_count 1; old=$(watchdog); kill -KILL $old
                until_true '[ -n "$(watchdog)" ] && [ "$(watchdog)" != "$old" ]'
                # The new one has to know of the child that was there before; that it was told cannot be seen.
                sleep 0.5; kill -KILL $pid; wait $pid 2>/dev/null
                child=$(cat "$folder/pids"); until_gone $child; alive $child || echo gone
                """#)
        #expect(run.lines == ["gone"], "\(run.errors)")
        #expect(run.errors.contains("the process that ends orphaned children was lost"))
    }

    @Test func `SIGTERM ends it well, the children before it`() async throws {
        let run = try await job(
            "-n 2",
            child: #"""
                trap 'echo finished; exit 0' TERM; echo $$ >>"$folder/pids"
                while :; do sleep 0.05; done
                """#,
            then: #"until_count 2; kill -TERM $pid; wait $pid; echo "status $?""#)
        #expect(run.lines == ["finished", "finished", "status 0"])
    }

    @Test func `Ctrl-C is a SIGTERM for the children`() async throws {
        let run = try await job(
            "",
            child: #"""
                trap 'echo term; exit 0' TERM; trap 'echo int; exit 0' INT; echo $$ >>"$folder/pids"
                while :; do sleep 0.05; done
                """#,
            then: #"until_count 1; kill -INT $pid; wait $pid; echo "status $?""#)
        #expect(run.lines == ["term", "status 0"])
    }

    @Test func `a connection string that is none is refused before anything is started`() async throws {
        let run = try await Command.run(["supervise", "--database", "nonsense", "--", "echo", "started"])
        #expect(run.status == 2)
        #expect(run.lines.isEmpty)
        #expect(run.errors.hasPrefix("error: the connection string cannot be read: "), "\(run.errors)")
    }

    @Test func `a second SIGTERM is passed on, and a third one kills`() async throws {
        let run = try await job(
            "",
            child:
                #"trap 'echo told >>"$folder/told"' TERM; echo $$ >>"$folder/pids"; while :; do sleep 0.05; done"#,
            then: #"""
                until_count 1; kill -TERM $pid; until_true '[ -s "$folder/told" ]'
                kill -TERM $pid; until_true '[ "$(wc -l <"$folder/told")" -eq 2 ]'; echo "told $(grep -c told "$folder/told")"
                alive $(cat "$folder/pids") && echo alive
                kill -TERM $pid; wait $pid; echo "status $?"
                alive $(cat "$folder/pids") || echo gone
                """#)
        #expect(run.lines.suffix(4) == ["told 2", "alive", "status 137", "gone"])
        #expect(run.errors.contains("was ended by SIGKILL"))
    }

    @Test func `SIGHUP replaces the children`() async throws {
        let run = try await job(
            "-n 2 --settle 100ms",
            child: #"echo $$ >>"$folder/pids"; exec sleep 600"#,
            then: #"""
                until_count 2; kill -HUP $pid; until_count 4
                for old in $(head -n 2 "$folder/pids"); do until_gone $old; alive $old || echo replaced; done
                for new in $(tail -n 2 "$folder/pids"); do alive $new && echo running; done
                kill -TERM $pid; wait $pid; echo "status $?"
                """#)
        #expect(run.lines == ["replaced", "replaced", "running", "running", "status 0"], "\(run.errors)")
        #expect(run.errors.contains("all children are replaced"))
    }

    @Test func `no child outlives a supervisor that is killed, not even one that ignores SIGTERM`()
        async throws
    {
        let run = try await job(
            "-n 2 --grace 200ms",
            child: #"trap '' TERM; echo $$ >>"$folder/pids"; while :; do sleep 0.05; done"#,
            then: #"""
                until_count 2; kill -KILL $pid; wait $pid 2>/dev/null; echo "status $?"
                for child in $(cat "$folder/pids"); do until_gone $child; alive $child || echo gone; done
                """#)
        #expect(run.lines == ["status 137", "gone", "gone"])
    }

    @Test func `children of a supervisor that is killed may still finish`() async throws {
        let run = try await job(
            "--grace 30s",
            child: #"""
                trap 'sleep 0.5; echo finished >"$folder/end"; exit 0' TERM; echo $$ >>"$folder/pids"
                while :; do sleep 0.05; done
                """#,
            then: #"""
                until_count 1; kill -KILL $pid; wait $pid 2>/dev/null
                until_gone $(cat "$folder/pids"); cat "$folder/end"
                """#)
        #expect(run.lines == ["finished"])
    }
}
