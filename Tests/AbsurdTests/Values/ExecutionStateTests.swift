import Absurd
import Testing

/// The state machine of an execution, without I/O: calls in, decisions out.
struct ExecutionStateTests {
    private func proceeds(_ admission: ExecutionState.Admission) -> String? {
        if case .proceed(let checkpoint) = admission { checkpoint } else { nil }
    }

    private func known(_ admission: ExecutionState.Admission) -> (checkpoint: String, state: JSONText?)? {
        if case .known(let checkpoint, let state) = admission { (checkpoint, state) } else { nil }
    }

    @Test func `names are numbered within one Swift task and refused from a second`() {
        var state = ExecutionState(checkpoints: [:])
        let answer1 = proceeds(state.admit("a", owner: 1))
        #expect(answer1 == "a")
        let answer2 = proceeds(state.admit("a", owner: 1))
        #expect(answer2 == "a#2")
        let answer3 = proceeds(state.admit("b", owner: 2))
        #expect(answer3 == "b")
        guard case .refused(let error) = state.admit("a", owner: 2) else {
            Issue.record("a second task got the name")
            return
        }
        #expect(error.code == .invalidArgument)
    }

    @Test func `a recorded name is known, also when its value is SQL NULL`() {
        var state = ExecutionState(checkpoints: ["a": JSONText?.none, "b": JSONText("1")])
        let first = known(state.admit("a", owner: 1))
        #expect(first?.checkpoint == "a" && first?.state == nil)
        let second = known(state.admit("b", owner: 1))
        #expect(second?.checkpoint == "b" && second?.state == JSONText("1"))
        let answer4 = proceeds(state.admit("b", owner: 1))
        #expect(answer4 == "b#2")
    }

    @Test func `parking waits for calls in flight and holds new ones until it is answered`() {
        var state = ExecutionState(checkpoints: [:])
        state.callStarted()
        let answer5 = state.startParking()
        #expect(!answer5)
        state.callEnded()
        let answer6 = state.startParking()
        #expect(answer6)
        guard case .hold = state.admit("a", owner: 1) else {
            Issue.record("a call got past the gate")
            return
        }
        state.parkingAnswered(parked: false)
        let answer7 = proceeds(state.admit("a", owner: 1))
        #expect(answer7 == "a")
        let answer8 = state.startParking()
        #expect(answer8)
        state.parkingAnswered(parked: true)
        #expect(state.phase == .ended(.suspended))
        guard case .ended(.suspended, repeats: 1) = state.admit("b", owner: 1) else {
            Issue.record("a call got in after the end")
            return
        }
    }

    @Test func `the first reason for an end stands, and a write is refused after it`() {
        var state = ExecutionState(checkpoints: [:])
        let isSent = state.writeStarted()
        #expect(isSent)
        state.writeEnded()
        let answer9 = state.end(.claimLost)
        #expect(answer9)
        let answer10 = state.end(.finished)
        #expect(!answer10)
        #expect(state.phase == .ended(.claimLost))
        let isSentAfterwards = state.writeStarted()
        #expect(!isSentAfterwards)
    }

    @Test func `a claim that seems lost while the run is being parked is not believed`() {
        var state = ExecutionState(checkpoints: [:])
        let answer11 = state.startParking()
        #expect(answer11)
        let answer12 = state.end(.claimLost)
        #expect(!answer12)
        state.parkingAnswered(parked: true)
        #expect(state.phase == .ended(.suspended))
    }

    @Test(arguments: [
        (ExecutionState.End.suspended, "suspended"), (.claimLost, "claimLost"), (.runFailed, "claimLost"),
        (.taskCancelled, "taskCancelled"),
    ])
    func `an execution that has ended is not judged by what its handler did`(
        end: ExecutionState.End, expected: String
    ) {
        let returns: [Result<HandlerReturn, any Error>] = [
            .success(.complete(.null)), .success(.suspend), .success(.fail(TaskFailure("x"))),
            .failure(CancellationError()), .failure(TaskFailure("x")),
        ]
        for returned in returns {
            #expect("\(Outcome.decide(returned, end: end))" == expected)
        }
    }

    @Test func `a step that was let in holds the run before its body begins`() {
        var state = ExecutionState(checkpoints: ["known": JSONText("1")])
        let step = proceeds(state.admit("step", owner: 1, holdsRun: true))
        #expect(step == "step")
        let isParkedBeside = state.startParking()
        #expect(!isParkedBeside)
        state.callEnded()
        // A recorded step holds nothing, since nobody would end it.
        _ = state.admit("known", owner: 1, holdsRun: true)
        let isParked = state.startParking()
        #expect(isParked)
    }
}
