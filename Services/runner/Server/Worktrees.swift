internal import Contract
internal import FoundationEssentials

/// Git worktrees for pods: `REPO#BRANCH` gives a directory of its own where that branch is checked out.
struct Worktrees: Sendable {
    /// The folder that holds them.
    var folder: String

    /// Splits `REPO#BRANCH`; the error says what is missing.
    static func parse(_ text: String) throws(ErrorBody) -> (repository: String, branch: String) {
        guard let hash = text.lastIndex(of: "#") else {
            throw ErrorBody(.badRequest, "the worktree \"\(text)\" has no branch; write REPO#BRANCH, such as /src/app#fix-login")
        }
        let repository = String(text[..<hash])
        let branch = String(text[text.index(after: hash)...])
        guard repository.hasPrefix("/") else {
            throw ErrorBody(.badRequest, "the worktree's repository \"\(repository)\" must be an absolute path on the runner's host")
        }
        guard !branch.isEmpty, !branch.hasPrefix("-") else {
            throw ErrorBody(.badRequest, "\"\(branch)\" cannot be a branch; write REPO#BRANCH, such as /src/app#fix-login")
        }
        return (repository, branch)
    }

    /// The directory where the branch is checked out: made now, or left by an earlier pod. A branch that does not exist is made from HEAD.
    /// - Parameter inUse: the directories where live pods work.
    func checkOut(_ text: String, inUse: Set<String>) async throws(ErrorBody) -> String {
        let (repository, branch) = try Self.parse(text)
        let top = try await git(["-C", repository, "rev-parse", "--show-toplevel"], or: "\(repository) is not a git repository with a work tree")
        _ = try await git(["check-ref-format", "--branch", branch], or: "\"\(branch)\" is not a name git takes for a branch")

        let list = try await git(["-C", top, "worktree", "list", "--porcelain"], or: "the worktrees of \(top) cannot be listed")
        if let path = Self.path(ofBranch: branch, in: list) {
            guard path.hasPrefix(folder + "/") else {
                throw ErrorBody(.conflict, "branch \(branch) is checked out at \(path), which is not Switchback's; choose another branch or remove that worktree")
            }
            guard !inUse.contains(path) else {
                throw ErrorBody(.conflict, "branch \(branch) is checked out at \(path), where another pod works; choose another branch or stop that pod")
            }
            return path
        }
        let name = (top.split(separator: "/").last.map(String.init) ?? "repository") + "-" + branch.replacing("/", with: "-")
        var path = "\(folder)/\(name)"
        var number = 2
        while FileManager.default.fileExists(atPath: path) {
            path = "\(folder)/\(name)-\(number)"
            number += 1
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ErrorBody(.unavailable, "cannot make \(folder): \(error)")
        }
        let exists = try await Subprocess.run(["git", "-C", top, "rev-parse", "--verify", "--quiet", "refs/heads/\(branch)"]).status == 0
        let arguments = exists ? [path, branch] : ["-b", branch, path]
        _ = try await git(["-C", top, "worktree", "add", "--quiet"] + arguments, or: "no worktree of \(branch) could be made")
        return path
    }

    /// The path of the worktree that has `branch`, in the output of `git worktree list --porcelain`.
    static func path(ofBranch branch: String, in list: String) -> String? {
        var path: String?
        for line in list.split(separator: "\n") {
            if line.hasPrefix("worktree ") { path = String(line.dropFirst(9)) }
            if line == "branch refs/heads/\(branch)" { return path }
        }
        return nil
    }

    private func git(_ arguments: [String], or problem: String) async throws(ErrorBody) -> String {
        let result = try await Subprocess.run(["git"] + arguments)
        guard result.status == 0 else { throw ErrorBody(.badRequest, "\(problem): \(result.output)") }
        return result.output
    }
}
