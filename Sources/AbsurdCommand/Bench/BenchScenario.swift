import ArgumentParser

/// What `absurd bench` can measure.
enum BenchScenario: String, CaseIterable, ExpressibleByArgument {
    case spawnOne = "spawn-one"
    case spawnBatch = "spawn-batch"
    case drain
    case steps
    case sleepers
    case fanOut = "fan-out"
    case events
    case pickup
    case resume
    case pickupElsewhere = "pickup-elsewhere"
    case resumeElsewhere = "resume-elsewhere"
    case pickupCut = "pickup-cut"
    case backlog
    case held
    case idle
    case ceiling

    var abstract: String {
        switch self {
        case .spawnOne: "16 callers of one client spawn one task after the other"
        case .spawnBatch: "tasks spawned 1,000 at a time"
        case .drain: "empty tasks that are there when the worker starts"
        case .steps: "workflows of five steps"
        case .sleepers: "tasks that sleep and are due within ten seconds of each other"
        case .fanOut: "tasks that wait for the same event"
        case .events: "tasks that wait for an event of their own"
        case .pickup: "from spawn to the start of the handler, the worker being idle"
        case .resume: "from emit to the resumed handler, the worker being idle"
        case .pickupElsewhere: "as pickup, spawned by a client without a worker"
        case .resumeElsewhere: "as resume, emitted by a client without a worker"
        case .pickupCut: "as pickup-elsewhere, the connection that listens having been cut just before"
        case .backlog: "one claim behind 1,000,000 due tasks, 1,000,000 ended and 100,000 sleeping ones"
        case .held: "memory of a process with so many handlers executing at once"
        case .idle: "statements and CPU of an idle pool of four workers"
        case .ceiling: "claim and finish in SQL alone, the best of several batch sizes and connections"
        }
    }

    var defaultCount: Int {
        switch self {
        case .spawnOne: 30_000
        case .spawnBatch: 100_000
        case .drain: 100_000
        case .steps: 10_000
        case .sleepers: 50_000
        case .fanOut, .events: 10_000
        case .pickup, .resume, .pickupElsewhere, .resumeElsewhere: 200
        case .pickupCut: 50
        case .backlog: 1_000_000
        case .held: 1_000
        case .idle: 1
        case .ceiling: 50_000
        }
    }

    var defaultConcurrency: Int {
        switch self {
        case .held: 1_000
        case .pickup, .resume, .pickupElsewhere, .resumeElsewhere, .pickupCut: 16
        case .idle: 10
        default: 500
        }
    }

    /// What is used of what was asked for.
    func adjusted(_ settings: BenchSettings) -> BenchSettings {
        var settings = settings
        switch self {
        case .held: settings.concurrency = max(settings.concurrency, settings.count)
        case .idle: settings.workers = 4
        default: break
        }
        return settings
    }

    func measure(_ bench: Bench) async throws -> BenchFigure {
        switch self {
        case .spawnOne: try await bench.spawnOneByOne()
        case .spawnBatch: try await bench.spawnInBatches()
        case .drain: try await bench.drain()
        case .steps: try await bench.steps()
        case .sleepers: try await bench.sleepers()
        case .fanOut: try await bench.fanOut()
        case .events: try await bench.events()
        case .pickup: try await bench.pickup(by: bench.client)
        case .resume: try await bench.resume(by: bench.client)
        case .pickupElsewhere: try await bench.elsewhere { try await bench.pickup(by: $0) }
        case .resumeElsewhere: try await bench.elsewhere { try await bench.resume(by: $0) }
        case .pickupCut: try await bench.elsewhere { try await bench.pickupCut(by: $0) }
        case .backlog: try await bench.backlog()
        case .held: try await bench.held()
        case .idle: try await bench.idle()
        case .ceiling: try await bench.ceiling()
        }
    }
}
