import Absurd

guard let command = Command(CommandLine.arguments.dropFirst()) else { Command.exitWithUsage() }

await exitingOnError {
    switch command {
    case .work(let settings): try await work(settings)
    case .order(let order): try await placeOrder(order)
    case .pay(let orderID): try await confirmPayment(of: orderID)
    }
}
