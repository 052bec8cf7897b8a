/// Who may use a connection next: the rules of ``Turnstile``, without waiting.
struct Turns<Ticket: Hashable & Sendable>: Sendable {
    private var isTaken = false
    /// The holder, when it only listens and gives way.
    private var listener: Ticket?
    private var queue: [Ticket] = []
    /// Has been given the turn and does not know it yet.
    private var chosen: Ticket?

    /// Takes the turn if nobody has it.
    mutating func take() -> Bool {
        if isTaken { return false }
        isTaken = true
        return true
    }

    /// Queues for the turn; returns whom to wake: the ticket itself, or a listener that holds the turn.
    mutating func enqueue(_ ticket: Ticket) -> Ticket? {
        if take() {
            chosen = ticket
            return ticket
        }
        queue.append(ticket)
        defer { listener = nil }
        return listener
    }

    /// Ends a wait, whatever ended it; returns whether the ticket has the turn now.
    mutating func settle(_ ticket: Ticket) -> Bool {
        if chosen == ticket {
            chosen = nil
            return true
        }
        queue.removeAll { $0 == ticket }
        return false
    }

    /// Gives the turn back; returns whom to wake, who has it from now on.
    mutating func leave() -> Ticket? {
        listener = nil
        guard !queue.isEmpty else {
            isTaken = false
            return nil
        }
        let next = queue.removeFirst()
        chosen = next
        return next
    }

    /// Notes that the holder only listens; false when somebody is waiting already.
    mutating func giveWay(_ ticket: Ticket) -> Bool {
        guard queue.isEmpty else { return false }
        listener = ticket
        return true
    }
}
