import Absurd
import LibPQ

/// Works until the end of the input, and answers the questions that come in.
func serve(_ pool: WorkerPool, _ client: AbsurdClient, _ console: Console) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await pool.run() }
        group.addTask {
            console.say("ready \(pool.workers[0].id)")
            for await command in console.commands {
                switch command {
                case .hold(let point): console.hold(at: point)
                case .report: console.say("report \(slotsInUse(pool)) \(connections(client))")
                }
            }
        }
        // Either the input has ended, or the pool has failed.
        try await group.next()
        group.cancelAll()
    }
}

private func slotsInUse(_ pool: WorkerPool) -> Int {
    pool.workers.reduce(0) { $0 + $1.slots.count { $0.run != nil } }
}

private func connections(_ client: AbsurdClient) -> String {
    let counts = client.pool.counts
    return "\(counts.open) \(counts.inUse)"
}
