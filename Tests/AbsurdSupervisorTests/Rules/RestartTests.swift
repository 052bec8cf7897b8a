import Testing

@testable import AbsurdSupervisor

@Suite struct RestartTests {
    @Test func `one that ends is started again alone, after a pause`() {
        var rehearsal = Rehearsal { $0.children = 3 }
        rehearsal.begin()
        #expect(rehearsal.processes == [[101], [102], [103]])
        rehearsal.end(102, .signalled(9))
        #expect(rehearsal.processes == [[101], [], [103]])
        #expect(rehearsal.waitingLaunches == 0)
        #expect(rehearsal.state.snapshot[1].state == .waiting)
        rehearsal.pass(.milliseconds(499))
        #expect(rehearsal.processes == [[101], [], [103]])
        rehearsal.pass(.milliseconds(501))
        #expect(rehearsal.processes == [[101], [104], [103]])
        #expect(rehearsal.takeSignals().isEmpty)
        #expect(rehearsal.state.snapshot.map(\.restarts) == [0, 1, 0])
        #expect(rehearsal.state.snapshot[1].lastEnd == .signalled(9))
    }

    @Test func `an end is told with its reason, its time, the count and the pause`() throws {
        var rehearsal = Rehearsal()
        rehearsal.begin()
        rehearsal.pass(.milliseconds(3210))
        _ = rehearsal.takeEvents()
        rehearsal.end(101, .signalled(4))
        guard case .ended(let end) = try #require(rehearsal.takeEvents().first) else {
            Issue.record("no end was told")
            return
        }
        let pause = try #require(end.restartIn)
        #expect(pause >= .milliseconds(500) && pause <= .seconds(1))
        let line = end.description
        #expect(
            line.hasPrefix(
                "child 0 (process 101) was ended by SIGILL (a trap, such as a failed precondition) after 3.21 s; "
                    + "restart 1 in 0."), "\(line)")
    }

    @Test func `pauses double up to the longest, and start afresh after a time of peace`() throws {
        var rehearsal = Rehearsal {
            $0.restartPause = .seconds(1)
            $0.maxRestartPause = .seconds(4)
            $0.maxRestarts = 100
        }
        var pauses: [Duration] = []
        var process: Int32 = 101
        func lastPause(_ events: [SupervisorEvent]) -> Duration? {
            for case .ended(let end) in events { return end.restartIn }
            return nil
        }
        rehearsal.begin()
        for uptime in [0, 0, 0, 0, 61] as [Int64] {
            rehearsal.pass(.seconds(uptime))
            _ = rehearsal.takeEvents()
            rehearsal.end(process)
            pauses.append(try #require(lastPause(rehearsal.takeEvents())))
            rehearsal.pass(.seconds(4))
            process += 1
        }
        for (pause, longest) in zip(pauses, [1, 2, 4, 4, 1] as [Double]) {
            #expect(pause <= .seconds(longest) && pause >= .seconds(longest / 2))
        }
    }

    @Test func `all are stopped and started together under the strategy all`() {
        var rehearsal = Rehearsal {
            $0.children = 3
            $0.strategy = .all
        }
        rehearsal.begin()
        rehearsal.end(102)
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGTERM 103"])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[], [], [103]])
        rehearsal.end(103, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[104], [105], [106]])
        #expect(rehearsal.state.snapshot.map(\.restarts) == [1, 1, 1])
    }

    @Test func `those after it are stopped and started with it under the strategy restForOne`() {
        var rehearsal = Rehearsal {
            $0.children = 4
            $0.strategy = .restForOne
        }
        rehearsal.begin()
        rehearsal.end(103)
        #expect(rehearsal.takeSignals() == ["SIGTERM 104"])
        // Another one, before the rest has ended, joins.
        rehearsal.end(102)
        rehearsal.end(104, .signalled(15))
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[101], [105], [106], [107]])
        #expect(rehearsal.state.snapshot.map(\.restarts) == [0, 1, 1, 1])
    }

    @Test func `too many restarts in the window end it with the last reason, the others stopped first`() {
        var rehearsal = Rehearsal {
            $0.children = 2
            $0.maxRestarts = 2
            $0.restartPause = .milliseconds(1)
            $0.maxRestartPause = .milliseconds(1)
        }
        rehearsal.begin()
        rehearsal.end(102)
        rehearsal.pass(.seconds(1))
        rehearsal.end(103)
        rehearsal.pass(.seconds(1))
        #expect(rehearsal.processes == [[101], [104]])
        rehearsal.end(104, .signalled(11))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        #expect(rehearsal.state.outcome == nil)
        rehearsal.end(101, .exited(status: 0))
        #expect(
            rehearsal.state.outcome
                == .failed(
                    "the children were started again more than 2 times within 60 s; the last to end: child 1 was "
                        + "ended by SIGSEGV after 1 s"))
    }

    @Test func `the limit grows with the number of children unless it is set`() {
        for (children, restarts) in [(1, 20), (4, 50)] {
            var rehearsal = Rehearsal {
                $0.children = children
                $0.restartPause = .milliseconds(1)
                $0.maxRestartPause = .milliseconds(1)
            }
            rehearsal.begin()
            for _ in 0..<restarts {
                rehearsal.end(rehearsal.processes[0][0])
                rehearsal.pass(.milliseconds(1))
            }
            #expect(rehearsal.state.coming == nil)
            rehearsal.end(rehearsal.processes[0][0])
            #expect(rehearsal.state.coming != nil)
        }
    }

    @Test func `restarts further apart than the window are no trouble`() {
        var rehearsal = Rehearsal { $0.maxRestarts = 1 }
        rehearsal.begin()
        for process in Int32(101)...105 {
            rehearsal.end(process)
            rehearsal.pass(.seconds(61))
        }
        #expect(rehearsal.state.outcome == nil)
        #expect(rehearsal.processes == [[106]])
    }

    @Test func `a process that cannot be started counts as one that ended`() {
        var rehearsal = Rehearsal { $0.maxRestarts = 0 }
        rehearsal.failToStart("no more processes")
        #expect(
            rehearsal.state.outcome
                == .failed(
                    "the children were started again more than 0 times within 60 s; the last to end: child 0 could "
                        + "not be started: no more processes after 0 s"))
    }

    @Test func `exit status 0 is the end of a child where only failures are started again`() {
        var rehearsal = Rehearsal {
            $0.children = 2
            $0.restart = .onFailure
        }
        rehearsal.begin()
        rehearsal.end(101, .exited(status: 0))
        #expect(rehearsal.state.snapshot[0].state == .finished)
        rehearsal.end(102, .exited(status: 1))
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[], [103]])
        #expect(rehearsal.state.outcome == nil)
        rehearsal.end(103, .exited(status: 0))
        #expect(rehearsal.state.outcome == .finished)
    }

    @Test func `exit status 0 is an end like any other by default`() {
        var rehearsal = Rehearsal()
        rehearsal.begin()
        rehearsal.end(101, .exited(status: 0))
        rehearsal.pass(.seconds(1))
        #expect(rehearsal.processes == [[102]])
    }
}
