import Testing

@testable import AbsurdSupervisor

@Suite struct StopTests {
    @Test func `a stop waits for the children, and starts none again`() {
        var rehearsal = Rehearsal { $0.children = 3 }
        rehearsal.begin()
        rehearsal.end(102)
        rehearsal.tell(.stop(grace: .seconds(25)))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGTERM 103"])
        rehearsal.pass(.seconds(10))
        rehearsal.end(101, .exited(status: 0))
        #expect(rehearsal.state.outcome == nil)
        rehearsal.end(103, .exited(status: 3))
        #expect(rehearsal.state.outcome == .stopped)
        #expect(rehearsal.state.snapshot.map(\.restarts) == [0, 1, 0])
    }

    @Test func `who outlives the grace period is killed`() {
        var rehearsal = Rehearsal()
        rehearsal.begin()
        rehearsal.tell(.stop(grace: .seconds(25)))
        rehearsal.pass(.seconds(24))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        rehearsal.pass(.seconds(1))
        #expect(rehearsal.takeSignals() == ["SIGKILL 101"])
        #expect(rehearsal.takeEvents().last == .killing(child: 0, processID: 101, after: .seconds(25)))
        #expect(rehearsal.state.nextDue == nil)
        rehearsal.end(101, .signalled(9))
        #expect(rehearsal.state.outcome == .stopped)
    }

    @Test func `who hurries tells those again that have been told, and kills nobody`() {
        var rehearsal = Rehearsal { $0.children = 2 }
        rehearsal.begin()
        rehearsal.tell(.hurry)
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.tell(.stop(grace: .seconds(25)))
        rehearsal.end(102)
        _ = rehearsal.takeSignals()
        rehearsal.tell(.hurry)
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        rehearsal.pass(.seconds(25))
        #expect(rehearsal.takeSignals() == ["SIGKILL 101"])
        rehearsal.tell(.hurry)
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.end(101, .signalled(9))
        #expect(rehearsal.state.outcome == .stopped)
    }

    @Test func `a kill does not wait`() {
        var rehearsal = Rehearsal { $0.children = 2 }
        rehearsal.begin()
        rehearsal.tell(.stop(grace: .seconds(25)))
        _ = rehearsal.takeSignals()
        rehearsal.tell(.kill)
        #expect(rehearsal.takeSignals() == ["SIGKILL 101", "SIGKILL 102"])
        rehearsal.end(101, .signalled(9))
        rehearsal.end(102, .signalled(9))
        #expect(rehearsal.state.outcome == .killed)
    }

    @Test func `a second stop can shorten the grace period but not lengthen it`() {
        var rehearsal = Rehearsal()
        rehearsal.begin()
        rehearsal.tell(.stop(grace: .seconds(10)))
        rehearsal.tell(.stop(grace: .seconds(60)))
        rehearsal.tell(.stop(grace: .seconds(5)))
        rehearsal.pass(.seconds(5))
        #expect(rehearsal.takeSignals() == ["SIGTERM 101", "SIGKILL 101"])
    }

    @Test func `a process that is only just being made is told when it is there`() {
        var rehearsal = Rehearsal()
        rehearsal.tell(.stop(grace: .seconds(1)))
        #expect(rehearsal.takeSignals().isEmpty)
        rehearsal.begin()
        #expect(rehearsal.takeSignals() == ["SIGTERM 101"])
        var other = Rehearsal()
        other.tell(.kill)
        other.begin()
        #expect(other.takeSignals() == ["SIGKILL 101"])
    }

    @Test func `a stop with nobody running ends at once`() {
        var rehearsal = Rehearsal()
        rehearsal.begin()
        rehearsal.end(101)
        rehearsal.tell(.stop(grace: .seconds(1)))
        #expect(rehearsal.state.outcome == .stopped)
    }

    @Test func `a stop in the middle of a group's restart ends it`() {
        var rehearsal = Rehearsal {
            $0.children = 2
            $0.strategy = .all
        }
        rehearsal.begin()
        rehearsal.end(101)
        rehearsal.tell(.stop(grace: .seconds(1)))
        rehearsal.end(102, .exited(status: 0))
        #expect(rehearsal.state.outcome == .stopped)
        rehearsal.pass(.seconds(60))
        #expect(rehearsal.processes == [[], []])
    }

    @Test func `other signals are passed on to all but those that have hardly begun`() {
        var rehearsal = Rehearsal {
            $0.children = 2
            $0.settleTime = .seconds(5)
        }
        rehearsal.begin()
        rehearsal.tell(.forward(.user1))
        #expect(rehearsal.takeSignals() == [])
        rehearsal.pass(.seconds(5))
        rehearsal.end(102)
        rehearsal.pass(.seconds(1))
        rehearsal.tell(.forward(.user1))
        #expect(rehearsal.takeSignals() == ["SIGUSR1 101"])
        rehearsal.pass(.seconds(5))
        rehearsal.tell(.forward(.user1))
        #expect(rehearsal.takeSignals() == ["SIGUSR1 101", "SIGUSR1 103"])
    }
}
