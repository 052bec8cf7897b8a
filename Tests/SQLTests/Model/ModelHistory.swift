import Foundation
import LibPQ
import TestSupport

/// Plays a history on the model and on the database, and compares them after each call.
struct ModelHistory {
    struct Mismatch: Error {
        var position: Int
        var message: String
    }

    let database: ModelDatabase
    /// For the ids of tasks.
    let seed: UInt64

    /// How many calls were made; throws a ``Mismatch`` at the first call after which the two differ.
    func play(_ operations: [ModelOperation]) async throws -> Int {
        var random = SeededGenerator(seed: seed)
        var model = QueueModel(now: 1_893_456_000_000_000)
        var calls = 0
        try await database.empty()
        try await database.setClock(model.now)
        for (position, operation) in operations.enumerated() {
            guard let (expected, actual) = try await make(operation, &model, &random) else { continue }
            calls += 1
            let lines = try await database.snapshot()
            model.adopt(lines)
            // A claim is compared when the ids of the retries that its sweep made are known.
            let wanted = expected(&model)
            guard wanted == actual else {
                throw Mismatch(
                    position: position, message: "\(operation) answered '\(actual)' instead of '\(wanted)'")
            }
            let difference = lines.difference(from: model.lines)
            guard difference.isEmpty else {
                throw Mismatch(
                    position: position, message: "after \(operation):\n\(Self.describe(difference))")
            }
        }
        return calls
    }

    private static func describe(_ difference: CollectionDifference<String>) -> String {
        let missing = difference.removals.map { change in
            if case .remove(_, let line, _) = change { "  wanted: \(line)" } else { "" }
        }
        let found = difference.insertions.map { change in
            if case .insert(_, let line, _) = change { "  found:  \(line)" } else { "" }
        }
        return (missing + found).joined(separator: "\n")
    }

    private typealias Expectation = (inout QueueModel) -> String

    /// Nil when there is nothing yet that the operation could be made with, or for the clock.
    private func make(
        _ operation: ModelOperation, _ model: inout QueueModel, _ random: inout SeededGenerator
    ) async throws -> (Expectation, String)? {
        switch operation {
        case .advance(let seconds):
            model.now += Int64(seconds) * 1_000_000
            try await database.setClock(model.now)
            return nil
        case .spawn(let limit, let delay, let key):
            let (task, run) = (random.uuid(at: model.now), random.uuid(at: model.now))
            let new = QueueModel.Task(
                id: task, maxAttempts: limit, retryDelay: delay, key: key,
                runs: [QueueModel.Run(id: run, attempt: 1, availableAt: model.now)])
            return ({ $0.spawn(new) }, try await database.spawn(new))
        case .emit(let event, let value):
            let answer = try await database.answer(
                "select answer from absurd_swift.emit('m', $1, $2)",
                [.textArray(["e\(event)"]), .textArray(["\(value)"])])
            return ({ $0.emit("e\(event)", "\(value)") }, answer)
        case .cancel(let number):
            guard let task = model.task(number) else { return nil }
            let answer = try await database.answer(
                "select answer from absurd_swift.cancel('m', $1)", [.uuidArray([model.tasks[task].id])])
            return ({ $0.cancel(task) }, answer)
        case .retry(let number):
            guard let task = model.task(number) else { return nil }
            let answer = try await database.answer(
                "select attempt::text from absurd.retry_task('m', $1)", [.uuid(model.tasks[task].id)])
            // Before the ids are read: the run that it makes is one of them.
            let expected = model.retry(task)
            return ({ _ in expected }, answer)
        case .claim(let worker, let timeout, let limit):
            let answer = try await database.claim(worker: "w\(worker)", timeout: timeout, limit: limit)
            model.sweep()
            return ({ $0.claimDue(worker: "w\(worker)", timeout: timeout, limit: limit) }, answer)
        default:
            guard let (expected, answer) = try await write(operation, &model) else { return nil }
            return ({ _ in expected }, answer)
        }
    }

    /// The calls that are made under a claim.
    private func write(
        _ operation: ModelOperation, _ model: inout QueueModel
    ) async throws -> (String, String)? {
        func held(_ number: Int) -> (QueueModel.Claim, UUID)? {
            guard let claim = model.claim(number), let run = model.tasks[claim.task].runs[claim.run].id else {
                return nil
            }
            return (claim, run)
        }
        switch operation {
        case .complete(let number, let value):
            guard let (claim, run) = held(number) else { return nil }
            let answer = try await database.finish(claim, run, "complete", "\(value)")
            return (model.complete(claim, "\(value)"), answer)
        case .fail(let number, let value, let isFinal, let delay):
            guard let (claim, run) = held(number) else { return nil }
            let answer = try await database.finish(
                claim, run, isFinal ? "fail_final" : "fail", "\(value)", delay: delay)
            return (model.fail(claim, "\(value)", isFinal: isFinal, delay: delay), answer)
        case .sleep(let number, let step, let seconds):
            guard let (claim, run) = held(number) else { return nil }
            let step = step.map { "s\($0)" }
            let answer = try await database.finish(claim, run, "sleep", "0", step: step, delay: seconds)
            return (model.sleep(claim, step: step, seconds: seconds), answer)
        case .release(let number):
            guard let (claim, run) = held(number) else { return nil }
            return (model.release(claim), try await database.finish(claim, run, "release"))
        case .checkpoint(let number, let step, let value, let renewal):
            guard let (claim, run) = held(number) else { return nil }
            let answer = try await database.answer(
                "select answer from absurd_swift.checkpoint('m', $1, $2, $3, $4, $5, $6)",
                database.fence(claim, run) + [
                    .textArray(["s\(step)"]), .textArray(["\(value)"]), .intArray([renewal.map(Int64.init)]),
                ])
            return (model.checkpoint(claim, "s\(step)", "\(value)", renewal: renewal), answer)
        case .renew(let number, let seconds):
            guard let (claim, run) = held(number) else { return nil }
            let answer = try await database.answer(
                "select answer from absurd_swift.renew('m', $1, $2, $3, $4)",
                database.fence(claim, run) + [.intArray([seconds.map(Int64.init)])])
            return (model.renewed(claim, by: seconds), answer)
        case .awaitEvent(let number, let step, let event, let timeout, let parks):
            guard let (claim, run) = held(number) else { return nil }
            let answer = try await database.answer(
                "select answer from absurd_swift.await_event('m', $1, $2, $3, $4, $5, $6, $7)",
                database.fence(claim, run) + [
                    .textArray(["s\(step)"]), .textArray(["e\(event)"]),
                    .doubleArray([timeout.map(Double.init)]),
                    .boolArray([parks]),
                ])
            return (model.awaitEvent(claim, "s\(step)", "e\(event)", timeout: timeout, parks: parks), answer)
        case .awaitTask(let number, let step, let child, let parks):
            guard let (claim, run) = held(number), let child = model.task(child) else { return nil }
            let poll = ModelDatabase.pollDelay
            let answer = try await database.answer(
                "select answer from absurd_swift.await_task('m', $1, $2, $3, $4, array['m'], $5, $6, $7)",
                database.fence(claim, run) + [
                    .textArray(["s\(step)"]), .uuidArray([model.tasks[child].id]),
                    .doubleArray([Double(poll)]),
                    .boolArray([parks]),
                ])
            return (model.awaitTask(claim, "s\(step)", child, parks: parks, poll: poll), answer)
        default: return nil
        }
    }
}

extension QueueModel {
    /// Takes over the ids that the database gave to new runs.
    mutating func adopt(_ lines: [String]) {
        for line in lines where line.hasPrefix("r ") {
            let words = line.split(separator: " ")
            guard let task = tasks.firstIndex(where: { $0.id.uuidString.lowercased() == words[1] }),
                let number = tasks[task].runs.firstIndex(where: {
                    "\($0.attempt)" == words[2] && $0.id == nil
                })
            else { continue }
            tasks[task].runs[number].id = UUID(uuidString: String(words[3]))
        }
    }
}

extension SeededGenerator {
    /// A UUIDv7 of that time.
    mutating func uuid(at microseconds: Int64) -> UUID {
        let high = UInt64(microseconds / 1000) << 16 | 0x7000 | next() & 0x0fff
        let low = next() >> 2 | 0x8000_0000_0000_0000
        let bytes = [high, low].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
        }
        return bytes.withUnsafeBytes { unsafe UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }
}
