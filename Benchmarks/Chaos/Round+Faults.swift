import BenchmarkSupport
import EphemeralPostgres
import LibPQ

extension Round {
    /// Begins and ends each fault when its time has come, one after the other, and leaves none behind.
    ///
    /// What takes long, such as the restart of the server, makes those after it late.
    func injectFaults(from start: ContinuousClock.Instant) async throws {
        let begins = plan.faults.map { (at: $0.at, fault: $0, isBegin: true) }
        let ends = plan.faults.map { (at: $0.at + $0.duration, fault: $0, isBegin: false) }
        // Sorting need not be stable, and an end must not overtake its begin.
        let events = (begins + ends).sorted { ($0.at, $0.isBegin ? 0 : 1) < ($1.at, $1.isBegin ? 0 : 1) }
        for event in events {
            try await Task.sleep(until: start + .milliseconds(event.at))
            if event.isBegin { try await begin(event.fault) } else { try await end(event.fault) }
        }
    }

    private func begin(_ fault: Fault) async throws {
        switch fault.kind {
        case .kill: targets(of: fault).forEach(fleet.kill)
        case .stop: targets(of: fault).forEach(fleet.pause)
        case .drain: try targets(of: fault).forEach(fleet.drain)
        case .restart: try await server.restart(.immediate)
        case .terminate: try await terminateSessions()
        case .cut: proxies(of: fault).forEach { $0.cut() }
        case .lose: proxies(of: fault).forEach { $0.lose() }
        case .hold: proxies(of: fault).forEach { $0.hold() }
        case .slow: proxies(of: fault).forEach { $0.slow(by: fault.delay) }
        }
    }

    private func end(_ fault: Fault) async throws {
        switch fault.kind {
        case .kill, .drain: for index in targets(of: fault) { try await fleet.start(index) }
        case .stop: targets(of: fault).forEach(fleet.resume)
        case .hold, .slow: proxies(of: fault).forEach { $0.heal() }
        case .restart, .terminate, .cut, .lose: break
        }
    }

    private func targets(of fault: Fault) -> [Int] {
        fault.worker.map { [$0] } ?? Array(fleet.proxies.indices)
    }

    private func proxies(of fault: Fault) -> [Proxy] { targets(of: fault).map { fleet.proxies[$0] } }

    /// Those of the driver, too.
    private func terminateSessions() async throws {
        // Where the server is away, as after a crash, there are no sessions.
        guard let connection = try? await database.connect() else { return }
        _ = try? await connection.query(
            """
            select pg_terminate_backend(s.pid)
              from (select pid, row_number() over (order by backend_start) as n from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()) s
             where s.n % 2 = 0
            """)
        await connection.close()
    }
}
