import LibPQ
import Testing

/// By which statements ours are made.
enum TwinWay: CaseIterable, Sendable {
    case text, planned, terse, tersePlanned

    var isPlanned: Bool { self == .planned || self == .tersePlanned }
    var isTerse: Bool { self == .terse || self == .tersePlanned }
}

extension QueueVariant {
    /// Plays a history, one step a minute, on two queues: by functions of `absurd` and by those of `absurd_swift`.
    ///
    /// After each step both have the same rows, and their runs may see the same checkpoints.
    ///
    /// - Parameter body: looks at the first of them in the end.
    func expectTwins(
        _ history: [(any Twin) async throws -> Void], _ way: TwinWay,
        finally body: (any Twin) async throws -> Void
    ) async throws {
        try await withQueue { queue in
            var twin = queue
            twin.name = "twin"
            try await twin.create(storageMode)
            if way.isPlanned { try await twin.makeMissingFunctions() }
            let official = ContractTwin(queue: queue)
            let ours = BatchTwin(queue: twin, isTerse: way.isTerse)
            for (minute, step) in history.enumerated() {
                try await queue.setClock("2030-01-01 10:\(minute < 10 ? "0" : "")\(minute):00+00")
                try await step(official)
                try await step(ours)
                let difference = try await ours.rows().difference(from: official.rows())
                #expect(difference.isEmpty, "after step \(minute): \(Array(difference))")
                let seen = try await ours.visibleCheckpoints()
                #expect(try await seen == official.visibleCheckpoints(), "after step \(minute)")
            }
            try await body(official)
        }
    }
}
