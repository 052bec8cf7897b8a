// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Examples",
    platforms: [.macOS("26.0")],
    dependencies: [
        .package(name: "swift-absurd", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "FirstProgram",
            dependencies: [
                .product(name: "Absurd", package: "swift-absurd"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "FirstProgram"
        ),
        .executableTarget(
            name: "OrderWorkflow",
            dependencies: [
                .product(name: "Absurd", package: "swift-absurd"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "OrderWorkflow"
        ),
    ]
)
