import LibPQ

extension ContractTwin {
    func spawn(_ rows: [(name: String, options: String)]) async throws {
        for row in rows { try await spawn(row.name, row.options) }
    }

    func checkpoint(_ rows: [(name: String, step: String, state: String)]) async throws {
        for row in rows { try await checkpoint(row.name, step: row.step, row.state) }
    }

    func finish(_ rows: [TwinFinish]) async throws {
        for row in rows {
            switch row {
            case .complete(let name, let result): try await complete(name, result)
            case .fail(let name, let reason, nil): try await fail(name, reason)
            case .fail(let name, let reason, let delay?):
                try await call(
                    "select absurd.fail_run($1, $2, $3::jsonb, absurd.current_time() + make_interval(secs => $4))",
                    [try await run(name), .text(reason), .double(delay)])
            case .sleep(let name, let seconds): try await sleep(name, seconds: seconds)
            }
        }
    }

    func extend(_ names: [String], by seconds: Int64) async throws {
        for name in names {
            try await call("select absurd.extend_claim($1, $2, $3)", [try await run(name), .int(seconds)])
        }
    }

    func emit(_ rows: [(event: String, payload: String)]) async throws {
        for row in rows { try await emit(row.event, row.payload) }
    }
}

extension TwinFinish {
    var result: (name: String, result: String)? {
        if case .complete(let name, let result) = self { (name, result) } else { nil }
    }
}

extension BatchTwin {
    func spawn(_ rows: [(name: String, options: String)]) async throws {
        guard isTerse else { return _ = try await queue.spawnTogether(rows) }
        _ = try await queue.spawnNew(try await queue.newTasks(rows.map { ($0.name, $0.options) }))
    }

    func checkpoint(_ rows: [(name: String, step: String, state: String)]) async throws {
        _ = try await queue.checkpoint(rows.map { (try claim(of: $0.name), $0.step, $0.state) })
    }

    func finish(_ rows: [TwinFinish]) async throws {
        let results = rows.compactMap(\.result)
        guard !isTerse || results.count < rows.count else {
            _ = try await queue.complete(results.map { (try claim(of: $0.name), $0.result) })
            return
        }
        _ = try await queue.finish(
            rows.map { row in
                switch row {
                case .complete(let name, let result): .init(try claim(of: name), "complete", result)
                case .fail(let name, let reason, let delay):
                    .init(try claim(of: name), "fail", reason, delay: delay)
                case .sleep(let name, let seconds): .init(try claim(of: name), "sleep", delay: seconds)
                }
            })
    }

    func extend(_ names: [String], by seconds: Int64) async throws {
        _ = try await queue.renew(names.map { try claim(of: $0) }, timeout: seconds)
    }

    func emit(_ rows: [(event: String, payload: String)]) async throws {
        _ = try await queue.emitTogether(rows.map { ($0.event, $0.payload) })
    }
}
