import Absurd
import AbsurdSupervisor
import Foundation
import TestSupport
import Testing

/// With real processes.
@Suite(.timeLimit(.minutes(10)))
struct ChildrenTests {
    @Test func `children know their number and how often they were started again`() async throws {
        let script =
            #"echo "$ABSURD_SUPERVISOR_CHILD:$ABSURD_WORKER_RESTARTS" >>"$FOLDER/who"; exec sleep 600"#
        try await Supervised.run(script, { $0.children = 3 }) { supervised in
            try await supervised.untilRunning(3)
            try await soon { Set(supervised.words("who")) == ["0:0", "1:0", "2:0"] }
            kill(supervised.processes[1], SIGKILL)
            try await soon { supervised.words("who").contains("1:1") }
            try await supervised.untilRunning(3)
            #expect(supervised.supervisor.children.map(\.restarts) == [0, 1, 0])
        }
    }

    @Test func `each start has an id of its own`() async throws {
        let script = #"echo "$ABSURD_PROCESS" >>"$FOLDER/ids"; sleep 0.05"#
        try await Supervised.run(script) { supervised in
            try await soon { supervised.words("ids").count >= 3 }
            let ids = supervised.words("ids")
            #expect(Set(ids).count == ids.count)
        }
    }

    @Test func `why each one ended is said`() async throws {
        let script = #"""
            case $ABSURD_WORKER_RESTARTS in
                0) exit 3 ;;
                1) kill -ILL $$ ;;
                2) kill -KILL $$ ;;
                *) exec sleep 600 ;;
            esac
            """#
        try await Supervised.run(script) { supervised in
            try await soon { supervised.supervisor.children[0].restarts == 3 }
            try await supervised.untilRunning(1)
            #expect(
                supervised.ends.map(\.end) == [.exited(status: 3), .signalled(SIGILL), .signalled(SIGKILL)])
            #expect(supervised.ends.map(\.restarts) == [1, 2, 3])
            #expect(supervised.ends.allSatisfy { !$0.isExpected && $0.restartIn != nil })
        }
    }

    @Test func `a stop lets children finish, and is no end to be started again after`() async throws {
        let script = #"""
            trap 'echo finished >>"$FOLDER/log"; exit 0' TERM
            echo ready >>"$FOLDER/log"
            while :; do sleep 0.05; done
            """#
        let result = try await Supervised.run(script, { $0.children = 2 }) { supervised in
            try await soon { supervised.words("log").count == 2 }
            supervised.supervisor.stop()
            try await soon { supervised.words("log").filter { $0 == "finished" }.count == 2 }
            try await soon { supervised.ends.count == 2 }
            #expect(supervised.ends.allSatisfy { $0.isExpected && $0.end == .exited(status: 0) })
        }
        guard case .success(.stopped) = result else { throw Unexpected(result) }
    }

    @Test func `who ignores SIGTERM is killed after the grace period, and its own children too`() async throws
    {
        let script = #"trap '' TERM; sleep 600 & echo "$$ $!" >"$FOLDER/pids"; while :; do sleep 0.05; done"#
        try await Supervised.run(script, { $0.gracePeriod = .milliseconds(300) }) { supervised in
            try await soon { supervised.words("pids").count == 2 }
            let pids = supervised.words("pids").compactMap { Int32($0) }
            supervised.supervisor.stop()
            try await soon { !supervised.ends.isEmpty }
            #expect(supervised.ends.map(\.end) == [.signalled(SIGKILL)])
            try await soon("the helper is gone") { pids.allSatisfy { !isAlive($0) } }
        }
    }

    @Test func `a second request kills at once`() async throws {
        let result = try await Supervised.run(
            #"trap '' TERM; echo >"$FOLDER/x"; while :; do sleep 0.05; done"#
        ) {
            supervised in
            try await supervised.untilRunning(1)
            supervised.supervisor.stop()
            supervised.supervisor.kill()
        }
        guard case .success(.killed) = result else { throw Unexpected(result) }
    }

    @Test func `what a dead child has left behind in its group is killed`() async throws {
        let script = #"""
            [ "$ABSURD_WORKER_RESTARTS" = 0 ] || exec sleep 600
            sleep 600 & echo "$!" >"$FOLDER/helper"; kill -KILL $$
            """#
        try await Supervised.run(script) { supervised in
            try await soon { supervised.words("helper").count == 1 }
            let helper = try #require(Int32(supervised.words("helper")[0]))
            try await soon("the helper is gone") { !isAlive(helper) }
        }
    }

    @Test func `a child that always dies at once ends the supervisor with the last reason`() async throws {
        let result = try await Supervised.run("exit 42", { $0.maxRestarts = 3 }) { supervised in
            try await soon { supervised.ends.count == 4 }
        }
        guard case .failure(let error as SupervisorError) = result else { throw Unexpected(result) }
        #expect(error.code == .restartLimit)
        #expect(
            error.message.hasPrefix(
                "the children were started again more than 3 times within 60 s; the last to end: child 0 exited with "
                    + "status 42 after 0"), "\(error.message)")
    }

    @Test func `children have no input, and signals are passed on to them`() async throws {
        let script = #"""
            cat >"$FOLDER/input"
            trap 'echo usr1 >>"$FOLDER/log"' USR1
            echo ready >>"$FOLDER/log"
            while :; do sleep 0.05; done
            """#
        try await Supervised.run(script) { supervised in
            try await soon { supervised.words("log") == ["ready"] }
            #expect(supervised.words("input").isEmpty)
            try await soon {
                // Not to a child that has hardly begun.
                supervised.supervisor.forward(.user1)
                return supervised.words("log").prefix(2) == ["ready", "usr1"]
            }
        }
    }

    @Test func `a roll replaces one after the other, so that the number never falls`() async throws {
        let script = #"echo "$$" >>"$FOLDER/pids"; exec sleep 600"#
        try await Supervised.run(script, { $0.children = 2 }) { supervised in
            try await supervised.untilRunning(2)
            let old = Set(supervised.processes)
            supervised.supervisor.roll()
            try await soon {
                #expect(supervised.supervisor.children.count { $0.state == .running } == 2)
                return supervised.events.contains(.rollEnded)
            }
            #expect(old.isDisjoint(with: supervised.processes))
            #expect(supervised.ends.count == 2)
            #expect(supervised.ends.allSatisfy { $0.isExpected })
            #expect(supervised.supervisor.children.map(\.restarts) == [0, 0])
        }
    }

    @Test func `a new version that cannot run leaves the old one at work`() async throws {
        let script = #"[ -e "$FOLDER/broken" ] && exit 5; echo up >>"$FOLDER/up"; exec sleep 600"#
        try await Supervised.run(script, { $0.settleTime = .minutes(1) }) { supervised in
            try await supervised.untilRunning(1)
            // The first child has looked before.
            try await soon { supervised.words("up") == ["up"] }
            let old = supervised.processes
            try Data().write(to: supervised.folder.appending(path: "broken"))
            supervised.supervisor.roll()
            try await soon { supervised.events.contains(.rollFailed(reason: "exited with status 5")) }
            #expect(supervised.processes == old)
        }
    }
}

struct Unexpected: Error {
    let text: String
    init(_ value: some Any) { text = "\(value)" }
}
