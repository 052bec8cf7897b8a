import Absurd
import LibPQ
import Logging
import TestSupport
import Testing

/// A common statement of several callers whose connection is lost: it is sent again, and each row counts once.
@Suite(.timeLimit(.minutes(10)))
struct CutBatchTests {
    private static let callers = 8

    @Test(arguments: Moment.allCases)
    func `every kind of batch that a worker writes counts once`(_ moment: Moment) async throws {
        try await CuttingScene.with { scene in
            try await scene.client.createQueue("children")
            let children = try await Children(of: scene.client)
            for kind in WriteKind.allCases where kind.isWritten {
                try await cutWrites(kind, moment, children, in: scene)
                for (rows, expected) in kind.outcome(Self.callers) {
                    #expect(try await scene.count(rows) == expected, "\(kind) \(moment): \(rows)")
                }
            }
        }
    }

    private func cutWrites(
        _ kind: WriteKind, _ moment: Moment, _ children: Children, in scene: CuttingScene
    ) async throws {
        let (client, queue) = (scene.client, kind.queue)
        try await client.createQueue(queue)
        let options = SpawnOptions(maxAttempts: 2)
        _ = try await client.spawnMany(
            (0..<Self.callers).map { _ in
                try SpawnRequest("task", params: nil, on: queue, options: options)
            })
        if kind == .takeEvent { try await client.emitEvent("emitted", 7, on: queue) }
        let runs = try await client.claimRuns(
            on: queue, workerID: "hand", claimTimeout: .minutes(10), limit: Self.callers)
        #expect(runs.count == Self.callers)
        try await scene.guardTables(["r", "c"], of: queue)

        // One that holds no claim writes nothing, and is held back until the others have gathered behind it.
        let store = PausingStore(PostgresRunStore(pool: client.pool), before: kind)
        let writer = RunWriter(
            store: store, holder: runs[0].holder, outages: OutageLog(), logger: .quiet)
        let nobody = try #require(RunID("019a0000-0000-7000-8000-000000000000"))
        let decoy = ClaimKey(run: nobody, token: runs[0].key.token)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await !kind.write(decoy, children, to: writer) }
            await store.pause.untilArrived()
            for run in runs { group.addTask { try await kind.write(run.key, children, to: writer) } }
            try await eventually("the others gather") { writer.pendingCount == Self.callers }
            try await scene.cut(moment) { store.pause.open() }
            for try await isAsExpected in group { #expect(isAsExpected, "\(kind) \(moment)") }
        }
    }

    @Test(arguments: Moment.allCases)
    func `spawns and emits that go together count once`(_ moment: Moment) async throws {
        try await CuttingScene.with { scene in
            let client = scene.client
            try await client.createQueue("default")
            try await scene.guardTables(["t", "e"], of: "default")
            let spawned = try await cutCalls(moment, in: scene) { name, _ in
                try await client.spawn(name, params: nil).taskID
            }
            #expect(Set(spawned.compactMap(\.self)).count == Self.callers)
            _ = try await cutCalls(moment, in: scene) { name, number in
                try await client.emitEvent(name == "decoy" ? name : "paid \(number)", number)
                return nil
            }
            #expect(try await scene.count("absurd.t_default where task_name = 'counted'") == Self.callers)
            #expect(try await scene.count("absurd.r_default") == Self.callers + 1)
            #expect(
                try await scene.count(
                    "absurd.e_default where event_name = 'paid ' || payload::text") == Self.callers)
        }
    }

    private func cutCalls(
        _ moment: Moment, in scene: CuttingScene,
        _ call: @Sendable @escaping (_ name: String, _ number: Int) async throws -> TaskID?
    ) async throws -> [TaskID?] {
        try await withThrowingTaskGroup(of: (isDecoy: Bool, task: TaskID?).self) { group in
            try await scene.raise("decoy")
            group.addTask { (true, try await call("decoy", -1)) }
            _ = try await scene.statement(waitingFor: "PgSleep")
            for number in 0..<Self.callers { group.addTask { (false, try await call("counted", number)) } }
            let producer = scene.client.producer
            try await eventually("the others gather") {
                producer.pendingCount(on: "default") == Self.callers
            }
            try await scene.cut(moment) {
                try await scene.lower("decoy")
                try await eventually("the others go") { producer.pendingCount(on: "default") == 0 }
            }
            return try await group.reduce(into: []) { if !$1.isDecoy { $0.append($1.task) } }
        }
    }
}

/// What is waited for: a task that nobody claims, and one that has ended.
private struct Children {
    let waiting: TaskID
    let ended: TaskID

    init(of client: AbsurdClient) async throws {
        ended = try await client.spawn("child", params: nil, on: "children").taskID
        let run = try await client.claimRuns(on: "children", workerID: "hand")[0]
        try await client.complete(run, result: 7)
        waiting = try await client.spawn("child", params: nil, on: "children").taskID
    }
}

extension WriteKind {
    /// Whether there is something to commit; a look that finds nothing writes nothing.
    fileprivate var isWritten: Bool { self != .lookAtTask && self != .lookForEvent }

    fileprivate var queue: String { rawValue.lowercased() }

    /// Writes for one run; false when the claim is not held.
    fileprivate func write(_ key: ClaimKey, _ children: Children, to writer: RunWriter) async throws -> Bool {
        let value = JSONText("7")
        func finish(_ action: FinishWrite.Action) async throws -> Bool {
            try await writer.finish(FinishWrite(key: key, action: action)).refusal == nil
        }
        func isAnswer(_ answer: WaitAnswer, _ expected: WaitAnswer) -> Bool {
            if answer.refusal == nil { #expect(answer == expected) }
            return answer.refusal == nil
        }
        switch self {
        case .checkpoint:
            return try await writer.checkpoint(
                CheckpointWrite(key: key, step: "step", state: value, claimTimeout: nil)
            ).refusal == nil
        case .renew: return try await writer.renew(RenewWrite(key: key, claimTimeout: 7200)).refusal == nil
        case .lookForEvent, .takeEvent, .parkOnEvent:
            let parks = self == .parkOnEvent
            let event = self == .takeEvent ? "emitted" : "there"
            let wait = EventWait(key: key, step: "wait", event: event, timeout: nil, parks: parks)
            return isAnswer(try await writer.awaitEvent(wait), parks ? .parked : .received(value))
        case .lookAtTask, .parkOnTask:
            let wait = TaskWait(
                key: key, step: "wait", queue: "children", task: children.waiting, pollDelay: .hours(1),
                parks: self == .parkOnTask)
            return isAnswer(try await writer.awaitTask(wait), .parked)
        case .takeResult:
            let wait = TaskWait(
                key: key, step: "ended", queue: "children", task: children.ended, pollDelay: .hours(1),
                parks: false)
            return try await writer.awaitTask(wait).refusal == nil
        case .sleep: return try await finish(.sleep(until: .after(.hours(1)), checkpoint: ("nap", value)))
        case .putOff: return try await finish(.sleep(until: .after(.hours(1)), checkpoint: nil))
        case .complete: return try await finish(.complete(value))
        case .fail: return try await finish(.fail(value, retry: .byStrategy))
        case .release: return try await finish(.release)
        }
    }

    /// What must be in the database afterwards.
    fileprivate func outcome(_ count: Int) -> [(rows: String, expected: Int)] {
        func runs(_ condition: String = "true") -> String { "absurd.r_\(queue) where \(condition)" }
        let checkpoints = "absurd.c_\(queue) where state = '7'"
        switch self {
        case .checkpoint: return [(checkpoints, count), (runs("state = 'running'"), count)]
        case .renew:
            return [(runs("state = 'running' and claim_expires_at > now() + interval '1 hour'"), count)]
        case .takeEvent: return [(checkpoints, count), (runs("state = 'running'"), count)]
        case .takeResult: return [("absurd.c_\(queue)", count), (runs("state = 'running'"), count)]
        case .parkOnEvent:
            return [("absurd.w_\(queue)", count), (runs("state = 'sleeping'"), count), (runs(), count)]
        case .lookAtTask, .lookForEvent: return []
        case .parkOnTask:
            return [
                ("absurd_swift.result_waits", count), (runs("state = 'sleeping'"), count), (runs(), count),
            ]
        case .sleep: return [(checkpoints, count), (runs("state = 'sleeping'"), count), (runs(), count)]
        case .putOff: return [(runs("state = 'sleeping'"), count), (runs(), count)]
        case .complete: return [(runs("state = 'completed' and result = '7'"), count), (runs(), count)]
        case .fail:
            return [
                (runs("attempt = 1 and state = 'failed'"), count), (runs("attempt = 2"), count),
                (runs(), 2 * count),
            ]
        case .release: return [(runs("state = 'pending' and attempt = 1"), count), (runs(), count)]
        }
    }
}
