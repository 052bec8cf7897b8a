import LibPQ

extension ContractTwin {
    func spawn(_ rows: [(name: String, options: String)]) async throws {
        for row in rows { try await spawn(row.name, row.options) }
    }

    func checkpoint(
        _ rows: [(name: String, step: String, state: String)], renewing seconds: Int64?
    ) async throws {
        for row in rows { try await checkpoint(row.name, step: row.step, row.state, renewing: seconds) }
    }

    func awaitEvents(_ rows: [TwinWait]) async throws {
        for row in rows {
            try await awaitEvent(row.name, step: row.step, event: row.event, timeout: row.timeout)
        }
    }

    /// There is no such call; a sleep that is over at once comes nearest.
    func release(_ names: [String]) async throws {
        for name in names { try await sleep(name, seconds: 0) }
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
            case .sleep(let name, let seconds, let step, let end):
                if let step, let end { try await checkpoint(name, step: step, end) }
                try await sleep(name, seconds: seconds)
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

    func checkpoints(of runs: [TwinRun]) async throws -> [[TwinCheckpoint]] {
        var result: [[TwinCheckpoint]] = []
        for run in runs {
            let rows = try await queue.connection.query(
                "select checkpoint_name, state::text from absurd.get_task_checkpoint_states($1, $2, $3)",
                [.text(queue.name), .uuid(run.task), .uuid(run.run)])
            result.append(
                try rows.map {
                    TwinCheckpoint(
                        step: try $0.decode("checkpoint_name"), state: try $0.decode("state"))
                })
        }
        return result
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

    func checkpoint(
        _ rows: [(name: String, step: String, state: String)], renewing seconds: Int64?
    ) async throws {
        _ = try await queue.checkpoint(
            rows.map { (try claim(of: $0.name), $0.step, $0.state) }, renewing: seconds)
    }

    func awaitEvents(_ rows: [TwinWait]) async throws {
        _ = try await queue.awaitEvents(
            rows.map {
                .init(
                    claim: try claim(of: $0.name), step: $0.step, event: $0.event,
                    timeout: $0.timeout.map { Double($0) })
            })
    }

    func release(_ names: [String]) async throws {
        _ = try await queue.finish(names.map { .init(try claim(of: $0), "release") })
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
                case .sleep(let name, let seconds, let step, let end):
                    .init(try claim(of: name), "sleep", end, step: step, delay: seconds)
                }
            })
    }

    func extend(_ names: [String], by seconds: Int64) async throws {
        _ = try await queue.renew(names.map { try claim(of: $0) }, timeout: seconds)
    }

    func emit(_ rows: [(event: String, payload: String)]) async throws {
        _ = try await queue.emitTogether(rows.map { ($0.event, $0.payload) })
    }

    func checkpoints(of runs: [TwinRun]) async throws -> [[TwinCheckpoint]] {
        let rows = try await queue.connection.query(
            "select position, step, state from absurd_swift.load_checkpoints($1, $2)",
            [.text(queue.name), .uuidArray(runs.map(\.run))])
        var result: [[TwinCheckpoint]] = Array(repeating: [], count: runs.count)
        for row in rows {
            result[try row.decode("position", as: Int.self) - 1].append(
                TwinCheckpoint(step: try row.decode("step"), state: try row.decode("state")))
        }
        return result
    }
}
