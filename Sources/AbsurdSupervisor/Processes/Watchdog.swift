import Absurd
import Subprocess
import Synchronization

/// A process beside the supervisor that ends the children when the supervisor dies, even of SIGKILL.
final class Watchdog: Sendable {
    private struct State {
        /// The process groups of the children.
        var groups: Set<Int32> = []
        /// What the shell has not been told yet, and who waits for that.
        var unsent: [(line: String, sender: Seat<Void>?)] = []
        var isFinished = false
    }
    private let state = Mutex(State())
    private let changes = ChangeSignal()
    private let grace: Duration
    private let onLoss: @Sendable (String) -> Void

    /// - Parameter onLoss: Told when the shell has ended by itself, and why.
    init(grace: Duration, onLoss: @escaping @Sendable (String) -> Void) {
        self.grace = grace
        self.onLoss = onLoss
    }

    /// Returns when the group is sure to be ended, should this process die from now on.
    func add(_ group: Int32) async {
        let seat = Seat<Void>()
        state.withLock { state in
            state.groups.insert(group)
            state.unsent.append(("add \(group)\n", seat))
        }
        changes.signal()
        await seat.turn()
    }

    func drop(_ group: Int32) {
        state.withLock { state in
            state.groups.remove(group)
            state.unsent.append(("drop \(group)\n", nil))
        }
        changes.signal()
    }

    func finish() {
        state.withLock { $0.isFinished = true }
        changes.signal()
    }

    private var isFinished: Bool { state.withLock(\.isFinished) }

    /// Keeps the shell running until ``finish()``.
    func run() async {
        while !isFinished {
            var reason = "it ended"
            do {
                try await runShell()
            } catch {
                reason = String(describing: error)
            }
            guard !isFinished else { return }
            onLoss(reason)
            // A machine that starts no shell starts no child either, so nobody has to wait for one.
            for (_, sender) in state.withLock({ $0.unsent }) { sender?.give(()) }
            await changes.wait(after: changes.ticket(), within: .seconds(1))
        }
    }

    private func runShell() async throws {
        var platform = PlatformOptions()
        // A terminal's signals are not for it.
        platform.createSession = true
        let tenths = grace.components.seconds * 10 + grace.components.attoseconds / 100_000_000_000_000_000
        _ = try await Subprocess.run(
            .name("sh"), arguments: ["-c", watchdogScript, "absurd-watchdog", "\(tenths)"],
            platformOptions: platform, input: .inputWriter, output: .sequence, error: .discarded
        ) { shell in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.tell(shell.standardInputWriter) }
                // The shell writes nothing, so this is its end.
                group.addTask { for try await _ in shell.standardOutput {} }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func tell(_ input: StandardInputWriter) async throws {
        // A new shell knows nothing yet.
        let (known, senders) = state.withLock { state in
            defer { state.unsent = [] }
            return (state.groups.map { "add \($0)\n" }.joined(), state.unsent.compactMap(\.sender))
        }
        defer { for sender in senders { sender.give(()) } }
        if !known.isEmpty { _ = try await input.write(known) }
        for sender in senders { sender.give(()) }

        while !Task.isCancelled {
            let ticket = changes.ticket()
            let (unsent, isFinished) = state.withLock { state in
                defer { state.unsent = [] }
                return (state.unsent, state.isFinished)
            }
            defer { for (_, sender) in unsent { sender?.give(()) } }
            if isFinished {
                _ = try await input.write("end\n")
                return
            }
            if unsent.isEmpty {
                await changes.waitUnlessCancelled(after: ticket)
            } else {
                _ = try await input.write(unsent.map(\.line).joined())
            }
        }
    }
}
