import CLibPQ

extension PostgresConnection {
    /// Starts to listen to a channel; its notifications come in ``notifications``.
    ///
    /// A connection that has listened is not given to others by the pool afterwards.
    ///
    /// - Parameter isCancellable: whether cancelling the calling task cancels the statement on the server.
    package func listen(to channel: String, isCancellable: Bool = true) async throws {
        condition.startedListening()
        try await execute(script: "listen \(quotedIdentifier(channel))", isCancellable: isCancellable)
    }

    /// What was sent to the channels this connection listens to; ends when the connection does, and when the
    /// iterating task is cancelled.
    ///
    /// The connection is read while somebody iterates and while statements run. It can be used meanwhile. When
    /// nobody iterates, the newest notifications are kept. For one iteration at a time.
    package nonisolated var notifications: AsyncStream<PostgresNotification> {
        AsyncStream { await self.nextNotification() }
    }

    private func nextNotification() async -> PostgresNotification? {
        while true {
            if let notification = mailbox.take() { return notification }
            guard await turnstile.enter(isCancellable: true) else { return nil }
            defer { turnstile.leave() }
            // A statement may have brought some while this waited for the turn.
            guard mailbox.isEmpty else { continue }
            guard handle.isOpen else { return nil }
            switch await readiness.wait(
                for: .readable, on: descriptor, until: nil, registered: turnstile.giveWay)
            {
            case .woken, .deadlinePassed: break
            case .cancelled: return nil
            case .ready:
                let isOpen = handle.consumeInput()
                takeNotifications()
                if !isOpen || !handle.isOpen || handle.isDoomed { discard() }
            }
        }
    }

    /// Moves what libpq has received into the mailbox.
    func takeNotifications() {
        while let notification = handle.nextNotification() { mailbox.put(notification) }
    }

    /// Whether the connection still stands, after something arrived that nobody asked for.
    func checkUnexpectedInput() async -> Bool {
        guard await turnstile.enter(isCancellable: false) else { return false }
        defer { turnstile.leave() }
        if handle.isOpen { _ = handle.consumeInput() }
        takeNotifications()
        if !handle.isOpen || handle.isDoomed { discard() }
        return handle.isOpen
    }
}

/// Notifications nobody has asked for yet.
struct NotificationMailbox {
    private static let capacity = 4096
    private var notifications: [PostgresNotification] = []
    private var taken = 0

    var isEmpty: Bool { taken == notifications.count }

    /// Keeps the newest.
    mutating func put(_ notification: PostgresNotification) {
        if notifications.count - taken >= Self.capacity { taken += 1 }
        notifications.append(notification)
        // Moves the rest to the front now and then, so that memory and time stay bounded.
        if taken > Self.capacity {
            notifications.removeFirst(taken)
            taken = 0
        }
    }

    mutating func take() -> PostgresNotification? {
        guard !isEmpty else {
            notifications.removeAll(keepingCapacity: true)
            taken = 0
            return nil
        }
        defer { taken += 1 }
        return notifications[taken]
    }
}
