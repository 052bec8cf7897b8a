import Foundation

/// What the command line asks for.
enum Command: Sendable {
    case work(WorkerSettings)
    case order(Order)
    case pay(orderID: String)

    init?(_ arguments: some Collection<String>) {
        let words = Array(arguments)
        switch words.first {
        case "worker":
            guard let settings = WorkerSettings(words.dropFirst()) else { return nil }
            self = .work(settings)
        case "order":
            guard words.count == 3 || words.count == 4, let amount = Int(words[2]) else { return nil }
            guard let card = Order.Card(rawValue: words.count == 4 ? words[3] : "plain") else { return nil }
            self = .order(Order(id: words[1], amount: amount, card: card))
        case "pay":
            guard words.count == 2 else { return nil }
            self = .pay(orderID: words[1])
        default: return nil
        }
    }

    static func exitWithUsage() -> Never {
        let usage = """
            usage: OrderWorkflow worker [--claim-timeout SECONDS] [--cool-down SECONDS]
                   OrderWorkflow order ID AMOUNT [plain|slow|busy-once]
                   OrderWorkflow pay ID

            The database is the one that ABSURD_DATABASE_URL names.

            """
        FileHandle.standardError.write(Data(usage.utf8))
        exit(2)
    }
}

struct WorkerSettings: Sendable {
    var claimTimeout = 30
    var coolDown = 2

    init?(_ arguments: some Collection<String>) {
        var rest = Array(arguments)
        while !rest.isEmpty {
            guard rest.count >= 2, let seconds = Int(rest[1]), seconds > 0 else { return nil }
            switch rest[0] {
            case "--claim-timeout": claimTimeout = seconds
            case "--cool-down": coolDown = seconds
            default: return nil
            }
            rest.removeFirst(2)
        }
    }
}

/// Prints a line at once, under the process that says it: standard output to a file would be kept back otherwise.
func say(_ line: String) {
    let process = ProcessInfo.processInfo.processIdentifier
    FileHandle.standardOutput.write(Data("[\(process)] \(line)\n".utf8))
}
