// One key in one incarnation, judged through the values: the core of the linear checker (R2-R5).
//
// Every word names the update that wrote it, and the word an RMW left names (UndoRmwWord) the word it started
// from. So updates that fed each other form *blocks*: a blind write followed by the RMWs that consumed it,
// one after the other, with the reads of each word between them. In any legal order a block is contiguous,
// since nothing may come between a word and the RMW that consumed it. What is left is to order whole blocks:
//   X before Y in real time  iff  (first response in X) < (last invocation in Y)
// and blocks of one level come before blocks of the next (R3); the block that holds the recovered word comes
// last in its level (R4). Sorting by min(first response, last invocation) within a level finds an order if
// there is one: if X must precede Y and Y need not precede X, then X sorts first (see Gibbons and Korach 1997
// on register verification with the read mapping given). Cost O(n log n).
//
// Deletes make "absent" a value that several updates write, and then a reader of "absent" does not name its
// writer. Such keys are ordered by a depth-first search over blocks, deletes and reads of "absent" with a
// memo of dead ends (linear_deletes.cc): linear in the length of the history for a bounded number of
// operations in flight.
//
// A truncation is, for each key, a delete that may have had no effect and must precede every update invoked
// after its mark (history.h).
//
// Updates without a known result (RMWs cut off by the crash) are decoded on demand: a word that nobody else
// wrote is taken apart by their operands. One whose word nobody ever saw can only be a blind write.
//
// Thread-safety: none (scratch memory, reused between calls).
#pragma once

#include <span>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/word_table.h"

namespace faults {

struct KeyInput {
  const Operation* operations = nullptr;
  std::span<const uint32_t> ops;        // of this key and incarnation, indexes into operations
  std::span<const uint32_t> levels;     // first cut that holds the operation, or the number of cuts
  std::span<const uint32_t> truncates;  // of this incarnation
  std::span<const uint32_t> truncate_levels;
  uint64_t base = 0;                    // the word the incarnation started with, 0 if absent
  std::span<const uint64_t> cut_words;  // the word each cut must have, 0 if absent
  bool use_levels = true;               // R3 and what is mandatory
  bool use_cuts = true;                 // R4
};

struct KeyFailure {
  const char* why = "";
  uint32_t ops[5] = {};
  uint32_t count = 0;
};

enum class KeyResult : uint8_t { kLegal, kIllegal, kUndecided };

class LinearKey {
 public:
  KeyResult Check(const KeyInput& input, KeyFailure* failure);
  // Words that somebody saw and nobody in the last checked input wrote.
  const std::vector<uint64_t>& orphans() const { return orphans_; }

 private:
  static constexpr uint32_t kNone = ~0u;
  enum class Kind : uint8_t { kInitial, kBlind, kRmw, kUntold, kDelete, kInsert };

  struct Entry {  // an update
    uint32_t op = kNone;
    uint32_t level = 0;
    uint64_t invoked = 0;
    uint64_t responded = 0;
    uint64_t word = 0;
    uint32_t next = kNone;     // the RMW that consumed the word
    uint32_t readers = kNone;  // of the word
    Kind kind = Kind::kInitial;
    bool optional = false;   // may have had no effect
    bool head = false;       // begins a block
    bool on_absent = false;  // an RMW that found the key absent
    bool truncation = false;
    bool walked = false;
  };
  struct Reader {
    uint32_t op = kNone;
    uint32_t level = 0;
    uint64_t word = 0;
    uint32_t next = kNone;
  };
  struct Block {
    uint32_t head = 0;
    uint32_t tail = 0;
    uint64_t first_response = kNever;
    uint64_t last_invoked = 0;
    uint64_t last_update = 0;   // last invocation of an update
    uint32_t first_op = kNone;  // that has first_response
    uint32_t last_op = kNone;   // that has last_invoked
    uint32_t low = 0;           // levels of its updates
    uint32_t high = 0;
    bool last = false;  // must be the last of its level
    uint64_t Place() const { return first_response < last_invoked ? first_response : last_invoked; }
  };
  struct Item {  // of the search: a block, a delete or a read of "absent"
    uint64_t first_response = kNever;
    uint64_t last_invoked = 0;
    uint32_t low = 0;   // lowest level of all its operations
    uint32_t head = 0;  // level of its first update
    uint32_t high = 0;  // of its last update
    uint64_t word = 0;  // state afterwards
    bool update = false;
    bool needs_absent = false;
    bool optional = false;
    bool truncation = false;
    uint64_t last_update = 0;  // last invocation of an update in it
    uint32_t op = kNone;
    uint32_t by_response_next = kNone, by_response_prev = kNone;
    uint32_t by_invoked_next = kNone, by_invoked_prev = kNone;
  };
  struct Frame {
    uint32_t trail = 0;
    uint32_t tried = kNone;  // last
    bool dead = false;       // nothing left to try
    uint64_t state = 0;
    uint64_t hash = 0;
    uint32_t level = 0;
  };

  // Building blocks (linear_key.cc). False: *failure_ is set.
  bool Collect();
  void AddUpdate(const Operation& op, uint32_t index, uint32_t level);
  void AddTruncations();
  bool LinkReaders();
  bool LinkRmws();
  bool LinkCuts();
  bool Link(uint32_t consumer, uint64_t old_word);
  uint32_t Producer(uint64_t word);
  uint32_t Decode(uint64_t word, uint32_t depth);
  bool BuildBlocks();
  bool Walk(uint32_t head);
  void Extend(Block* block, uint32_t op) const;
  bool CheckJump(uint32_t entry, uint32_t next);
  bool CheckSorted();
  bool Fail(const char* why, std::initializer_list<uint32_t> ops);
  bool Orphan(const char* why, uint64_t word, uint32_t op);

  // The search over keys with deletes (linear_deletes.cc).
  KeyResult SearchOrder();
  void MakeItems();
  void AddItem(Item item);
  void MakeLists();
  void Unlink(uint32_t item);
  void Relink(uint32_t item);
  bool Enabled(uint32_t item) const;
  bool LevelAllows(const Item& item) const;
  bool MayTruncate(const Item& item) const;
  bool CutsHold(uint32_t from, uint32_t to, uint64_t state) const;
  void Place(uint32_t item);
  void UndoTo(uint32_t trail);
  void PlaceReads();
  bool Finished() const;
  bool PlaceInitial();
  uint32_t NextItem(Frame* frame) const;
  void NoteDeepest(size_t* deepest);

  const KeyInput* in_ = nullptr;
  KeyFailure* failure_ = nullptr;
  uint32_t cut_count_ = 0;
  bool deletes_ = false;
  bool undecided_ = false;
  uint32_t decode_budget_ = 0;
  std::vector<Entry> entries_;
  std::vector<Reader> readers_;
  std::vector<uint32_t> absent_readers_;
  std::vector<uint32_t> untold_;
  std::vector<Block> blocks_;
  std::vector<uint64_t> orphans_;
  WordTable producers_;

  std::vector<Item> items_;
  std::vector<uint32_t> order_;
  std::vector<Frame> frames_;
  std::vector<uint32_t> trail_;
  std::vector<uint32_t> unplaced_;  // mandatory items by low
  uint32_t mandatory_left_ = 0;
  uint32_t by_response_ = kNone, by_invoked_ = kNone;
  uint64_t state_ = 0;
  uint64_t hash_ = 0;
  uint32_t level_ = 0;
  WordTable dead_;
};

}  // namespace faults
