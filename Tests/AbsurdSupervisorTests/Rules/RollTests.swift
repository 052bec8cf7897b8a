import Testing

@testable import AbsurdSupervisor

@Suite struct RollTests {
    private func rehearsal(_ roll: SupervisorOptions.Roll = .startFirst, children: Int = 2) -> Rehearsal {
        var rehearsal = Rehearsal {
            $0.children = children
            $0.roll = roll
            $0.settleTime = .seconds(5)
        }
        rehearsal.begin()
        _ = rehearsal.takeEvents()
        return rehearsal
    }

    @Test func `the new one has to be up for a while before the old one is stopped, one after the other`() {
        var rehearsal = rehearsal()
        rehearsal.tell(.roll)
        rehearsal.begin()
        #expect(rehearsal.processes == [[101, 103], [102]])
        rehearsal.pass(.milliseconds(4999))
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.pass(.milliseconds(1))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        rehearsal.pass(.seconds(3))
        #expect(rehearsal.processes == [[101, 103], [102]])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[103], [102, 104]])
        rehearsal.pass(.seconds(5))
        #expect(rehearsal.takeSignals() == ["SIGTERM 102"])
        rehearsal.end(102, .exited(status: 0))
        #expect(rehearsal.processes == [[103], [104]])
        #expect(rehearsal.takeEvents().last == .rollEnded)
        #expect(rehearsal.state.snapshot.map(\.restarts) == [0, 0])
    }

    @Test func `the while begins when the new one is a process, however long that takes`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.tell(.roll)
        rehearsal.wait(.seconds(60))
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.begin()
        rehearsal.pass(.milliseconds(4999))
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.pass(.milliseconds(1))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
    }

    @Test func `a new one that does not stay up leaves the old ones in place`() {
        var rehearsal = rehearsal()
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.pass(.seconds(1))
        rehearsal.end(103, .exited(status: 70))
        rehearsal.pass(.seconds(60))
        #expect(rehearsal.processes == [[101], [102]])
        #expect(rehearsal.takeSignals().isEmpty)
        #expect(rehearsal.takeEvents().contains(.rollFailed(reason: "exited with status 70")))
        #expect(rehearsal.state.snapshot.map(\.restarts) == [0, 0])
        // And the next attempt starts over.
        rehearsal.tell(.roll)
        rehearsal.begin()
        #expect(rehearsal.processes == [[101, 104], [102]])
    }

    @Test func `an old one that ends by itself meanwhile is replaced already`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.end(101)
        #expect(rehearsal.processes == [[102]])
        rehearsal.pass(.seconds(5))
        #expect(rehearsal.takeEvents().last == .rollEnded)
        #expect(rehearsal.processes == [[102]])
    }

    @Test func `a replacement that ends while the old one is stopping is started again`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.pass(.seconds(5))
        rehearsal.end(102)
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[101]])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[103]])
    }

    @Test func `the old one is stopped first where two may not run`() {
        var rehearsal = rehearsal(.stopFirst)
        rehearsal.tell(.roll)
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[103], [102]])
        rehearsal.pass(.milliseconds(4999))
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.pass(.milliseconds(1))
        #expect(rehearsal.takeSignals() == ["SIGTERM 102"])
        rehearsal.end(102, .exited(status: 0))
        rehearsal.begin()
        rehearsal.pass(.seconds(5))
        #expect(rehearsal.processes == [[103], [104]])
        #expect(rehearsal.takeEvents().last == .rollEnded)
    }

    @Test
    func `with the old one stopped, a new one that does not stay up is started again, and the rest is left`()
    {
        var rehearsal = rehearsal(.stopFirst)
        rehearsal.tell(.roll)
        rehearsal.end(101, .exited(status: 0))
        rehearsal.begin()
        rehearsal.end(103)
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[104], [102]])
        rehearsal.pass(.seconds(60))
        #expect(rehearsal.processes == [[104], [102]])
        #expect(rehearsal.takeEvents().contains(.rollFailed(reason: "exited with status 1")))
    }

    @Test func `asked for again it also replaces what it has started`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.pass(.seconds(2))
        rehearsal.tell(.roll)
        rehearsal.pass(.seconds(3))
        rehearsal.end(101, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[102, 103]])
        rehearsal.pass(.seconds(5))
        rehearsal.end(102, .exited(status: 0))
        #expect(rehearsal.processes == [[103]])
        #expect(rehearsal.takeEvents().last == .rollEnded)
    }

    @Test func `a child that waits for its restart starts as new`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.end(101)
        rehearsal.tell(.roll)
        #expect(rehearsal.takeEvents().last == .rollEnded)
        rehearsal.pass(.seconds(1))
        rehearsal.pass(.seconds(60))
        #expect(rehearsal.processes == [[102]])
    }

    @Test func `an old one that ignores SIGTERM is killed, and the roll goes on`() {
        var rehearsal = rehearsal()
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.pass(.seconds(5 + 25))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGKILL 101"])
        rehearsal.end(101, .signalled(9))
        rehearsal.begin()
        #expect(rehearsal.processes == [[103], [102, 104]])
    }

    @Test func `a restart of the whole group cuts a roll short and it goes on afterwards`() {
        var rehearsal = Rehearsal {
            $0.children = 2
            $0.strategy = .all
        }
        rehearsal.begin()
        rehearsal.tell(.roll)
        rehearsal.begin()
        #expect(rehearsal.processes == [[101, 103], [102]])
        rehearsal.end(102)
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGTERM 103"])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.end(103, .exited(status: 0))
        rehearsal.pass(.seconds(2))
        #expect(rehearsal.processes == [[104], [105]])
        #expect(rehearsal.takeEvents().last == .rollEnded || !rehearsal.state.isRolling)
        rehearsal.pass(.seconds(60))
        #expect(rehearsal.processes == [[104], [105]])
    }

    @Test func `a new one settles while others are restarted as a group, and nothing is due before`() {
        var rehearsal = Rehearsal {
            $0.children = 3
            $0.strategy = .restForOne
        }
        rehearsal.begin()
        rehearsal.tell(.roll)
        rehearsal.begin()
        #expect(rehearsal.processes == [[101, 104], [102], [103]])
        rehearsal.end(102)
        rehearsal.pass(.seconds(10))
        // 103 has not ended yet, so neither the group nor the roll goes on, whatever the time.
        #expect(rehearsal.processes == [[101, 104], [], [103]])
        #expect(rehearsal.state.nextDue.map { $0 > rehearsal.now } == true)
        rehearsal.end(103, .exited(status: 0))
        rehearsal.begin()
        #expect(rehearsal.processes == [[101, 104], [105], [106]])
        #expect(rehearsal.takeSignals() == ["SIGTERM 103", "SIGTERM 101"])
        rehearsal.end(101, .exited(status: 0))
        #expect(rehearsal.processes == [[104], [105], [106]])
        #expect(rehearsal.takeEvents().last == .rollEnded)
    }

    @Test func `a stop ends a roll, the new ones included`() {
        var rehearsal = rehearsal(children: 1)
        rehearsal.tell(.roll)
        rehearsal.begin()
        rehearsal.tell(.stop(grace: .seconds(25)))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGTERM 102"])
        rehearsal.end(101, .exited(status: 0))
        rehearsal.end(102, .exited(status: 0))
        #expect(rehearsal.state.outcome == .stopped)
    }
}
